#!/bin/bash
# Process 1 of the guest. The host's root is the read-only lower layer of an overlay in memory, so the guest has
# the host's programs and can write anywhere without the host noticing. Arguments come as environment variables
# from the kernel's command line: LAB is a folder of the host, shared read-write as /lab.
set -u
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb

finish() {
  echo "$1" >/proc/exitcode
  sync
  poweroff -ffd
}

mount -t proc proc /proc
mount -t sysfs sysfs /sys
modules=/usr/lib/uml/modules/$(uname -r)
root=/mnt/root
mount -t tmpfs -o size=90% layers /mnt && mkdir -p /mnt/upper /mnt/work $root
grep -qw overlay /proc/filesystems || insmod "$(find "$modules" -name overlay.ko)"
mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work overlay $root || finish 99

mount -t proc proc $root/proc
mount -t sysfs sysfs $root/sys
mount -t devtmpfs dev $root/dev
mkdir -p $root/dev/pts $root/dev/shm $root/lab $root/lib/modules
mount -t devpts devpts $root/dev/pts
mount -t tmpfs shm $root/dev/shm
mount -t tmpfs run $root/run
mount -t tmpfs -o mode=1777 tmp $root/tmp
mount -t hostfs -o "$LAB" lab $root/lab
ln -sfn "$modules" "$root/lib/modules/$(uname -r)"
# The checkout may lie under a folder that was just covered (/tmp, say): it gets a mount of its own.
checkout=$(<"$root/lab/checkout")
mkdir -p "$root$checkout"
mount -t hostfs -o "ro,$checkout" checkout "$root$checkout" || finish 98

hostname guest
ip link set lo up
# Not chroot: the kernel's own threads, which keep LIO's persistent reservations in files, must follow.
mkdir -p $root/oldroot
cd $root && pivot_root . oldroot && cd / || finish 97
/bin/bash /lab/guest.sh
finish $?
