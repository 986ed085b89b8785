import type { Check } from './finding.js';
import type { Host } from './host.js';
import { processIds, readProcess, statFields, titleOf } from './processes.js';

/** Threads that wait in target_core_user.c for a daemon's answer (tcmu_wait_genl_cmd_reply), as PID/TID. */
function waiting(host: Host): Map<string, number> {
  const found = new Map<string, number>();
  for (const pid of processIds(host)) {
    for (const thread of host.list(`proc/${pid}/task`)) {
      const folder = `proc/${pid}/task/${thread}`;
      // The wait is uninterruptible; to read every thread's stack would take long.
      if (statFields(host.read(`${folder}/stat`) ?? '')[0] !== 'D') continue;
      const stack = host.read(`${folder}/stack`) ?? host.read(`${folder}/wchan`) ?? '';
      if (/tcmu_netlink_event|tcmu_wait_genl_cmd_reply/.test(stack)) found.set(`${pid}/${thread}`, pid);
    }
  }
  return found;
}

/** Threads that have waited for an answer all the while the host's patience lasted. */
export async function stuckThreads(host: Host): Promise<number[]> {
  const first = waiting(host);
  if (first.size === 0) return [];
  await host.patience();
  const second = waiting(host);
  return [...first].filter(([thread]) => second.has(thread)).map(([, pid]) => pid);
}

export const stuckNetlink: Check = {
  id: 'stuck-netlink',
  readsConfigfs: false,
  async find(host) {
    const parameters = 'sys/module/target_core_user/parameters';
    const stuck = [...new Set(await stuckThreads(host))];
    const findings = stuck.map((pid) => ({
      id: 'stuck-netlink',
      subject: titleOf(readProcess(host, pid)),
      what: `${titleOf(readProcess(host, pid))} waits in the kernel for a TCMU daemon’s answer that does not come`,
      why: 'the kernel waits for ever and cannot be interrupted: the process cannot be killed, and LIO’s configuration is locked',
      fix: {
        command: [
          `cd /${parameters}`,
          'echo 1 >block_netlink && echo 1 >reset_netlink',
          'sleep 1',
          'echo 0 >block_netlink',
        ].join('\n'),
        safe: true,
      },
      advice: 'what it was doing fails, and can be done again',
    }));
    if (findings.length > 0 || host.read(`${parameters}/block_netlink`) !== 'blocked') return findings;
    return [
      {
        id: 'stuck-netlink',
        subject: 'block_netlink',
        what: 'the kernel tells TCMU daemons nothing (block_netlink is on)',
        why: 'devices cannot be made or removed; somebody meant to release a waiting thread and did not finish',
        fix: { command: `echo 0 >/${parameters}/block_netlink`, safe: true },
      },
    ];
  },
};
