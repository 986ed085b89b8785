#!/bin/bash
# In the guest's root: kernel modules, configfs and the system bus, then the command of /lab/command.
set -u
checkout=$(</lab/checkout)
mkdir -p /run/dbus /run/lock /run/target /etc/target /var/target/pr /var/target/alua
# Where targetcli has the kernel keep them: without the folder each change of a persistent reservation fails.
mkdir -p /etc/rtslib-fb-target/pr /etc/rtslib-fb-target/alua
for module in configfs sd_mod sg uio target_core_mod target_core_user target_core_file tcm_loop \
  iscsi_target_mod scsi_transport_iscsi iscsi_tcp ext4 xfs; do
  modprobe -q $module || echo "guest: no module $module"
done
mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
# Only the project's own bus policy, and no start of tcmu-runner by the bus: a test that wants them puts them back.
mkdir -p /tmp/tcmu-runner
find /usr/share/dbus-1 /etc/dbus-1 \( -name 'tcmu-runner.conf' -o -name 'org.kernel.TCMUService1.*' \) \
  -exec mv {} /tmp/tcmu-runner/ \;
policy=$checkout/share/dbus-1/system.d/org.kernel.TCMUService1.conf
[ ! -e "$policy" ] || install -D -m 644 "$policy" -t /usr/share/dbus-1/system.d
dbus-uuidgen --ensure
dbus-daemon --system --fork || echo 'guest: the system bus does not start'
echo "guest: up after $(cut -d' ' -f1 /proc/uptime) s"
cd "$checkout" && . /lab/command
