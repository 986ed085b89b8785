#!/usr/bin/env bash
# A disk in memory, as a local SCSI disk of this machine.
#
#   sudo lunette serve &
#   sudo ./memory-over-loopback.sh
#   sudo ./memory-over-loopback.sh --remove
#
# Needs the modules target_core_user and tcm_loop. What is on the disk is gone when the daemon ends.
set -eu

NAME=${NAME:-lunette-memory}
SIZE=${SIZE:-256M}
# The loopback target's address: any NAA number that no other target of this machine has.
WWN=${WWN:-naa.5001405a11ce0001}

if [ "${1:-}" = --remove ]; then
  targetcli "/loopback delete $WWN"
  targetcli "/backstores/user:memory delete $NAME"
  exit
fi

# The storage object: Lunette's handler `memory` behind LIO. `cfgstring` takes the handler's options, none here:
# `lunette handlers memory` lists them.
targetcli "/backstores/user:memory create name=$NAME size=$SIZE cfgstring="

# Its export: a SCSI host in this machine's own kernel, and the disk as its LUN 0.
targetcli "/loopback create $WWN"
targetcli "/loopback/$WWN/luns create /backstores/user:memory/$NAME"

# The kernel tells which SCSI address the target got; the disk's name comes a moment later.
address=$(cat "/sys/kernel/config/target/loopback/$WWN/tpgt_1/address")
for _ in $(seq 50); do
  disk=$(ls "/sys/class/scsi_device/$address:0/device/block" 2>/dev/null || true)
  [ -z "$disk" ] || break
  sleep 0.1
done
[ -n "$disk" ] || { echo "no disk came up: see the daemon's log and dmesg" >&2; exit 1; }
echo "/dev/$disk is the new disk"
