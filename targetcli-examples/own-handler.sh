#!/usr/bin/env bash
# A handler of one's own: a TypeScript file becomes a backstore of targetcli, and a disk of this machine.
#
#   sudo ./own-handler.sh                                      examples/ram-disk.ts, its handler `ram`
#   sudo HANDLER_FILE=./mine.ts HANDLER=mine ./own-handler.sh
#   sudo ./own-handler.sh --remove
#
# Needs the modules target_core_user and tcm_loop. It starts a daemon of its own, so no other may run.
set -eu
here=$(dirname "$(realpath "$0")")

HANDLER_FILE=${HANDLER_FILE:-$here/../examples/ram-disk.ts}
HANDLER=${HANDLER:-ram}
LUNETTE=${LUNETTE:-$here/../dist/cli/main.js}
NAME=${NAME:-lunette-own}
SIZE=${SIZE:-64M}
WWN=${WWN:-naa.5001405a11ce0002}
log=/run/lunette-example.log
pid=/run/lunette-example.pid

if [ "${1:-}" = --remove ]; then
  targetcli "/loopback delete $WWN"
  targetcli "/backstores/user:$HANDLER delete $NAME"
  # SIGTERM: the daemon answers what is in flight, and leaves.
  daemon=$(cat $pid)
  kill "$daemon"
  while kill -0 "$daemon" 2>/dev/null; do sleep 0.1; done
  rm $pid
  exit
fi

# The daemon, with the handler of this file beside the built-in ones. It is ready when its log says so.
"$LUNETTE" serve --handler "$HANDLER_FILE" --log-format json 2>$log >/dev/null </dev/null &
echo $! >$pid
for _ in $(seq 300); do
  grep -q '"msg":"ready"' $log && break
  kill -0 "$(cat $pid)" 2>/dev/null || break
  sleep 0.2
done
grep -q '"msg":"ready"' $log || { echo "the daemon did not get ready:" >&2; cat $log >&2; exit 1; }

targetcli "/backstores/user:$HANDLER create name=$NAME size=$SIZE cfgstring="
targetcli "/loopback create $WWN"
targetcli "/loopback/$WWN/luns create /backstores/user:$HANDLER/$NAME"

address=$(cat "/sys/kernel/config/target/loopback/$WWN/tpgt_1/address")
for _ in $(seq 50); do
  disk=$(ls "/sys/class/scsi_device/$address:0/device/block" 2>/dev/null || true)
  [ -z "$disk" ] || break
  sleep 0.1
done
[ -n "$disk" ] || { echo "no disk came up: see $log and dmesg" >&2; exit 1; }
echo "/dev/$disk is the new disk; the daemon's log is $log"
