import { readdirSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import { isMainThread } from 'node:worker_threads';

/*
 * Code is loaded in a tenth of a second and more of a processor's time, which on a small machine others wait for. A
 * host that nobody waits for loads its code while nobody else wants to run. In Linux each thread has a nice value of
 * its own (setpriority(2)), and process 0 is the calling thread.
 */

const STEP = 10;
const LAST = 19;

/** What it was before. */
let usual: number | undefined;

/** Let all others run first from now on: this thread, and those that it starts. */
export function stepBack(): void {
  if (usual !== undefined) return;
  const now = getPriority();
  try {
    // Not without CAP_SYS_NICE, or where a filter of system calls forbids it: there would be no way back.
    setPriority(now - 1);
    setPriority(Math.min(LAST, now + STEP));
    usual = now;
  } catch {
    // As before.
  }
}

/** Run like all others again: this thread; or where it is a process's main one, all of them. */
export function stepForward(): void {
  if (usual === undefined) return;
  for (const thread of isMainThread ? readdirSync('/proc/self/task') : ['0']) {
    try {
      setPriority(Number(thread), usual);
    } catch {
      // A thread that has ended meanwhile.
    }
  }
  usual = undefined;
}
