#!/usr/bin/env bash
# An image file, exported over iSCSI to one initiator that knows a password.
#
#   sudo lunette serve &
#   sudo PASSWORD=twelve-or-more-characters ./file-over-iscsi.sh
#   sudo ./file-over-iscsi.sh --remove         the image stays
#
# Needs the modules target_core_user and iscsi_target_mod. On the initiator, with open-iscsi:
#
#   iscsiadm -m discovery -t sendtargets -p SERVER
#   iscsiadm -m node -T TARGET -o update -n node.session.auth.authmethod -v CHAP
#   iscsiadm -m node -T TARGET -o update -n node.session.auth.username -v lunette
#   iscsiadm -m node -T TARGET -o update -n node.session.auth.password -v PASSWORD
#   iscsiadm -m node -T TARGET --login
set -eu

NAME=${NAME:-lunette-file}
FILE=${FILE:-/srv/lunette-disk1.img}
SIZE=${SIZE:-1G}
TARGET=${TARGET:-iqn.2026-11.org.example.lunette:disk1}
USER_NAME=${USER_NAME:-lunette}

if [ "${1:-}" = --remove ]; then
  targetcli "/iscsi delete $TARGET"
  targetcli "/backstores/user:file delete $NAME"
  exit
fi

: "${PASSWORD:?set it to the password that the initiator must know: 12 to 16 characters suit every initiator}"
# Who may log in: the name in the initiator's /etc/iscsi/initiatorname.iscsi. Unless told otherwise, this machine.
INITIATOR=${INITIATOR:-$(sed -n 's/^InitiatorName=//p' /etc/iscsi/initiatorname.iscsi 2>/dev/null || true)}
: "${INITIATOR:?set it to the iSCSI name of the initiator that may log in}"

# The storage object: the image is made, sparse, if it is not there.
targetcli "/backstores/user:file create name=$NAME size=$SIZE cfgstring=$FILE?create=1"

# The target; its portal, port 3260 on all addresses, comes with it.
targetcli "/iscsi create $TARGET"
targetcli "/iscsi/$TARGET/tpg1/luns create /backstores/user:file/$NAME"

# One initiator, with CHAP. The LUN is mapped to it as it is added.
targetcli "/iscsi/$TARGET/tpg1 set attribute authentication=1 generate_node_acls=0"
targetcli "/iscsi/$TARGET/tpg1/acls create $INITIATOR"
targetcli "/iscsi/$TARGET/tpg1/acls/$INITIATOR set auth userid=$USER_NAME password=$PASSWORD"

targetcli "ls /iscsi/$TARGET"
echo "$INITIATOR may log in to $TARGET as $USER_NAME"
