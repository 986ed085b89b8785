import { shellWord, type Check } from './finding.js';

/** Where LIO keeps what must outlive it: target_core_configfs.c, target_core_item_dbroot. */
const DBROOT = 'sys/kernel/config/target/dbroot';

export const reservationFolder: Check = {
  id: 'reservation-folder',
  readsConfigfs: true,
  find(host) {
    const root = host.read(DBROOT)?.trim();
    // Without a disk nobody can ask for it.
    if (!root?.startsWith('/') || host.devices().length === 0) return [];
    const folder = `${root}/pr`;
    if (host.isFolder(folder)) return [];
    return [
      {
        id: this.id,
        subject: folder,
        what: `there is no folder ${folder}, in which LIO keeps persistent reservations`,
        why:
          'PERSISTENT RESERVE OUT with APTPL (“activate persist through power loss”), which clusters such as Pacemaker’s ' +
          'and Windows’ may ask for, fails',
        fix: { command: `mkdir -p -m 700 ${shellWord(folder)}`, safe: true },
      },
    ];
  },
};
