import { statSync } from 'node:fs';
import { shellWord, type Check, type Finding } from './finding.js';
import type { Host, TcmuObject } from './host.js';
import { disksOf } from './local-disks.js';
import { titleOf } from './processes.js';

const CHECK_CONDITION = 2;
/** LOGICAL UNIT COMMUNICATION FAILURE (SPC-4 table D.1). */
const COMMUNICATION_FAILURE = 0x08;

/** Whether fixed-format sense data say that the kernel cannot talk to the daemon. */
function saysBroken(sense: Uint8Array): boolean {
  return (
    sense.length > 13 && (sense[0] & 0x7e) === 0x70 && sense[12] === COMMUNICATION_FAILURE && sense[13] === 0
  );
}

type State = 'whole' | 'broken' | 'unknown';

/**
 * The kernel shows the state of a ring nowhere; but it answers each command to a broken one itself, at once, even
 * where no daemon runs. INQUIRY, because it takes no unit attention away from the initiator.
 */
function stateOf(host: Host, device: TcmuObject): State {
  for (const { generic } of disksOf(host, device)) {
    if (generic === undefined) continue;
    try {
      const answer = host.inquire(generic);
      if (answer === undefined) return 'unknown';
      return answer.status === CHECK_CONDITION && saysBroken(answer.sense) ? 'broken' : 'whole';
    } catch {
      // This path is gone or in error recovery; there may be another.
    }
  }
  return 'unknown';
}

const WHY =
  'the kernel gives the daemon no more commands: each one fails with LOGICAL UNIT COMMUNICATION FAILURE';

/** What the fix leaves in the kernel's log: the kernel itself says nothing of a reset. */
function resetMark({ title }: TcmuObject): string {
  return `lunette: the ring of ${title} was reset`;
}

function reset(device: TcmuObject): string {
  return (
    `echo 1 >${shellWord(`${device.directory}/action/reset_ring`)}\n` +
    `echo ${shellWord(resetMark(device))} >/dev/kmsg`
  );
}

/** Milliseconds by which the kernel's clocks may differ. */
const SLACK = 2000;

/** Whether the log speaks of a broken ring that may be this one: not before it was made, nor before its last reset. */
function isSuspected(host: Host, device: TcmuObject): boolean {
  let broken: number | undefined;
  for (const { time, text } of host.kernelLog()) {
    if (text.includes('ring is broken')) broken = time;
    else if (text.includes(resetMark(device))) broken = undefined;
  }
  if (broken === undefined) return false;
  const age = host.kernelNow() - broken;
  try {
    // A folder of folders alone: those with attributes change with the first look at each of them.
    return statSync(`${device.directory}/statistics`).ctimeMs - SLACK < Date.now() - age;
  } catch {
    // Deleted meanwhile.
    return false;
  }
}

function broken(device: TcmuObject): Finding {
  const [daemon] = device.openers;
  const what = `kernel and daemon disagree about the ring of ${device.title}`;
  const finding = { id: 'broken-ring', subject: device.title, what, why: WHY };
  const after = 'outstanding commands are answered BUSY, and initiators send them again. Please report it.';
  if (!daemon) return { ...finding, fix: { command: reset(device), safe: true }, advice: after };
  return {
    ...finding,
    // A daemon that runs has its place in the ring in mind, and would go on from there.
    fix: { command: `systemctl stop lunette\n${reset(device)}\nsystemctl start lunette`, safe: false },
    advice: `stop ${titleOf(daemon)} first, and start it again afterwards; ${after}`,
  };
}

function perhapsBroken(device: TcmuObject): Finding {
  const [daemon] = device.openers;
  return {
    id: 'broken-ring',
    subject: device.title,
    what: `the kernel’s log speaks of a broken ring, which may be that of ${device.title}: it is no disk of this machine that could be asked`,
    why: WHY,
    // On a whole ring it would take commands away from the daemon.
    fix: { command: reset(device), safe: false },
    advice:
      'ask the initiators whether they see that failure. Where they do, ' +
      `${daemon ? `stop ${titleOf(daemon)}, ` : ''}reset the ring, and start the daemon again`,
  };
}

export const brokenRing: Check = {
  id: 'broken-ring',
  readsConfigfs: true,
  find(host) {
    const findings: Finding[] = [];
    for (const device of host.devices()) {
      if (device.uio === undefined) continue;
      const suspected = isSuspected(host, device);
      // Without a daemon the question would wait on a whole ring, so it is asked only where there is a reason.
      if (device.openers.length === 0 && !suspected) continue;
      const state = stateOf(host, device);
      if (state === 'broken') findings.push(broken(device));
      else if (state === 'unknown' && suspected) findings.push(perhapsBroken(device));
    }
    return findings;
  },
};
