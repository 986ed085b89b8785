import { expect } from 'chai';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Daemon } from './daemon.js';
import { KernelLog } from './kernel-log.js';
import { attempt } from './targetcli.js';

/** The path of handlers/moody.ts, compiled. */
export const moodyHandler = fileURLToPath(new URL('../handlers/moody.js', import.meta.url));

export interface LunetteOptions {
  /** Arguments of `lunette serve`. */
  readonly args?: readonly string[];
  /** What the tests provoke: lines of the daemon's log of level error that are right. */
  readonly expectedErrors?: RegExp;
  /** Alarms of the kernel's log that are right. */
  readonly expectedAlarms?: RegExp;
}

/** A daemon for all tests of a describe block. */
export interface Lunette {
  daemon: Daemon;
  /** The last test of the block: neither log has a complaint, and SIGTERM ends the daemon well. */
  endsQuietly(): void;
}

/** Delete whatever LUNs a failed test has left, so that it spoils no other. */
async function deleteTargets(): Promise<void> {
  const core = '/sys/kernel/config/target/core';
  const left = existsSync(core) && readdirSync(core).some((name) => /^(user|rd_mcp|fileio)_\d+$/.test(name));
  if (left) await attempt('clearconfig confirm=True');
}

/** TCMU's kernel threads wait for a daemon's answer for ever; this ends their wait. */
export function resetNetlink(): void {
  const folder = '/sys/module/target_core_user/parameters';
  for (const [name, value] of [
    ['block_netlink', 1],
    ['reset_netlink', 1],
    ['block_netlink', 0],
  ] as const) {
    writeFileSync(`${folder}/${name}`, `${value}\n`);
  }
}

export function useLunette({ args = [], expectedErrors, expectedAlarms }: LunetteOptions = {}): Lunette {
  let kernelLog: KernelLog;
  const fixture: Lunette = {
    daemon: undefined as unknown as Daemon,
    endsQuietly() {
      // A block of its own, because mocha runs a block's own tests before those of the blocks in it.
      describe('in the end', () => {
        it('neither the daemon’s log has an error nor the kernel’s an alarm, and SIGTERM ends the daemon', async () => {
          await deleteTargets();
          const complaints = fixture.daemon.complaints().filter((line) => !expectedErrors?.test(line));
          expect(complaints, 'log of the daemon').to.deep.equal([]);
          expect(await kernelLog.alarms(expectedAlarms), 'log of the kernel').to.deep.equal([]);
          expect(await fixture.daemon.stop(), 'exit status of the daemon').to.equal(0);
        });
      });
    },
  };
  before(async () => {
    kernelLog = await KernelLog.fromNow();
    fixture.daemon = await Daemon.start(args);
  });
  after(async () => {
    try {
      await deleteTargets();
    } catch (error) {
      resetNetlink();
      throw error;
    } finally {
      if (fixture.daemon?.isRunning) await fixture.daemon.stop();
    }
  });
  return fixture;
}
