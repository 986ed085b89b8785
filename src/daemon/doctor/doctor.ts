import { spawn } from 'node:child_process';
import { blockedDevice } from './blocked-device.js';
import { brokenRing } from './broken-ring.js';
import { busPolicy } from './bus-policy.js';
import { commandTimeoutTooShort } from './command-timeout.js';
import { dataArea } from './data-area.js';
import type { Check, Finding } from './finding.js';
import { Host, type HostOptions } from './host.js';
import { ioFlusher } from './io-flusher.js';
import { missingModules } from './missing-modules.js';
import { orphanDevice } from './orphan-device.js';
import { ownDisk } from './own-disk.js';
import { reservationFolder } from './reservation-folder.js';
import { stuckNetlink } from './stuck-netlink.js';
import { tcmuRunner } from './tcmu-runner.js';
import { unlockedMemory } from './unlocked-memory.js';
import { unmountedConfigfs } from './unmounted-configfs.js';

/** In this order: what comes first may be the reason for what comes after it. */
export const checks: readonly Check[] = [
  missingModules,
  unmountedConfigfs,
  busPolicy,
  tcmuRunner,
  stuckNetlink,
  orphanDevice,
  blockedDevice,
  brokenRing,
  commandTimeoutTooShort,
  dataArea,
  reservationFolder,
  ioFlusher,
  unlockedMemory,
  ownDisk,
];

/** What `--fix` did about a finding. */
export interface Treatment {
  readonly finding: Finding;
  /** What the command said where it failed. */
  readonly error?: string;
}

async function run(check: Check, host: Host): Promise<Finding[]> {
  try {
    return await check.find(host);
  } catch (error) {
    return [
      {
        id: check.id,
        what: `'${check.id}' could not be examined: ${(error as Error).message}`,
        why: 'what it looks for may be there or not',
      },
    ];
  }
}

/** Examine this host. @returns nothing where all is well */
export async function diagnose(options: HostOptions = {}): Promise<Finding[]> {
  const host = new Host(options);
  const findings: Finding[] = [];
  for (const check of checks) {
    // Missing: there is nothing to read. Stuck: whoever reads configfs would be stuck, too.
    const skip = check.readsConfigfs && findings.some(({ id }) => CLOSED.has(id));
    if (!skip) findings.push(...(await run(check, host)));
  }
  return findings;
}

/** Findings after which configfs is not looked at. */
const CLOSED = new Set([unmountedConfigfs.id, stuckNetlink.id]);

/** Milliseconds. */
const FIX_TIMEOUT = 60_000;

/** Run a fix's command as a shell script. @throws Error with what it said */
function execute(command: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('/bin/sh', ['-e', '-c', command], {
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: FIX_TIMEOUT,
    });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(said.trim() || `it ended with ${signal ?? code}`));
    });
  });
}

/** Run the commands of the findings whose fixes are safe, one after the other. */
export async function treat(findings: readonly Finding[], shell = execute): Promise<Treatment[]> {
  const done = new Map<string, Treatment>();
  const treatments: Treatment[] = [];
  for (const finding of findings) {
    if (!finding.fix?.safe) continue;
    // Several findings may have one cause.
    const earlier = done.get(finding.fix.command);
    const treatment = earlier
      ? { ...earlier, finding }
      : await shell(finding.fix.command).then(
          () => ({ finding }),
          (error: Error) => ({ finding, error: error.message }),
        );
    done.set(finding.fix.command, treatment);
    treatments.push(treatment);
  }
  return treatments;
}

/** Findings and treatments, round after round: what was out of sight behind a finding shows when it is mended. */
export async function mend(
  options: HostOptions = {},
  shell = execute,
): Promise<{ treatments: Treatment[]; findings: Finding[] }> {
  const treatments: Treatment[] = [];
  let findings = await diagnose(options);
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const tried = new Set(treatments.map(({ finding }) => finding.fix?.command));
    const fresh = findings.filter(({ fix }) => fix && !tried.has(fix.command));
    const done = await treat(fresh, shell);
    if (done.length === 0) break;
    treatments.push(...done);
    findings = await diagnose(options);
  }
  return { treatments, findings };
}

const MAX_ROUNDS = 5;
