#!/bin/sh
# Process 1 of the guest. At the first boot it makes a file system on each disk, fills it and reboots; at the
# second it finds the files again, deletes one, trims and powers off. What it tells the host are lines of the
# serial port that begin with "@@".
export PATH=/bin:/sbin:/usr/sbin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "/modules/$module"; done </modules/order

say() { echo "@@ $*"; }
# Whatever goes wrong, the guest goes away.
trap 'sync; poweroff -f' EXIT

seconds=0
until [ -b /dev/sda ] && [ -b /dev/sdb ]; do
  [ $((seconds += 1)) -lt 60 ] || { say failed - disks "not there after 60 s"; exit; }
  sleep 1
done

# Which of them is which: scsi-hd has QEMU's own name, scsi-block passes the logical unit's on.
disk_of() {
  for disk in sda sdb; do
    case $(cat /sys/block/$disk/device/vendor) in
      LUNETTE*) [ "$1" = scsi-block ] && echo $disk ;;
      *) [ "$1" = scsi-hd ] && echo $disk ;;
    esac
  done
}

first_boot() {
  mkfs.ext4 -q -F "/dev/$2" && mount "/dev/$2" /mnt || { say failed "$1" format; return; }
  say passed "$1" format
  for number in 1 2 3 4; do head -c $((number * 2000000)) /dev/urandom >/mnt/file$number; done
  (cd /mnt && sha256sum file1 file2 file3 file4 >sums) && sync
  while read -r sum file; do say sum "$1" "$file" "$sum"; done </mnt/sums
  say passed "$1" write
}

second_boot() {
  (cd /mnt && sha256sum -c sums >/tmp/check) && say passed "$1" find || say failed "$1" find "$(cat /tmp/check)"
  rm /mnt/file4 && sync
  trimmed=$(fstrim -v /mnt) && say passed "$1" trim "$trimmed" || say failed "$1" trim "$trimmed"
  umount /mnt && say passed "$1" unmount || say failed "$1" unmount
}

boot=1
for kind in scsi-hd scsi-block; do
  disk=$(disk_of $kind)
  [ -n "$disk" ] || { say failed $kind attach "$(cat /sys/block/sd?/device/vendor)"; continue; }
  say size $kind "$(cat "/sys/block/$disk/size")"
  if mount -t ext4 "/dev/$disk" /mnt 2>/dev/null; then
    boot=2
    second_boot $kind "$disk"
  else
    first_boot $kind "$disk"
  fi
done
dmesg | grep -iE 'I/O error|EXT4-fs error|timing out|Call Trace|abort' | while read -r line; do say alarm "$line"; done
say booted $boot
# Without unmounting: what was synced has to be there.
[ $boot = 2 ] || { trap - EXIT; reboot -f; }
