import { appendFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { targetcli } from './targetcli.js';

/** How one test of `iscsi-test-cu` ended; one that prints [SKIPPED] is skipped, whatever its own summary says. */
export interface SuiteResult {
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  readonly detail: readonly string[];
}

interface Suite {
  listTests(): string[];
  runSuite(options: {
    urls: readonly string[];
    tests: readonly string[];
    onLine: (line: string) => void;
  }): Promise<Map<string, SuiteResult>>;
}

/** The runner of `npm run conformance`, which is no TypeScript. */
async function suite(): Promise<Suite> {
  const path = resolve('test/conformance/libiscsi/suite.mjs');
  return (await import(pathToFileURL(path).href)) as Suite;
}

/** Every test of the suite as Family.Test. */
export async function suiteTests(): Promise<string[]> {
  return (await suite()).listTests();
}

/** Run tests against the LUN, or the LUNs, of `urls`; what the suite prints is kept in `log` for the curious. */
export async function runSuite(
  urls: readonly string[],
  tests: readonly string[],
  log: string,
): Promise<SuiteResult[]> {
  mkdirSync('/lab/logs', { recursive: true });
  const onLine = (line: string): void => appendFileSync(`/lab/logs/libiscsi-${log}.log`, `${line}\n`);
  const results = await (await suite()).runSuite({ urls, tests, onLine });
  return [...results.values()];
}

/** A storage object that LIO exports over iSCSI to whoever asks. */
export class IscsiLun {
  private constructor(
    readonly backstore: string,
    readonly name: string,
    readonly target: string,
  ) {}

  /** @param backstore as targetcli calls it: user:memory */
  static async create(backstore: string, size: string, cfgstring: string): Promise<IscsiLun> {
    const name = `suite-${backstore.replace(/.*:/, '')}`;
    const lun = new IscsiLun(backstore, name, `iqn.2026-11.org.example.lunette:${name}`);
    await targetcli(
      `/backstores/${backstore} create name=${name} size=${size} cfgstring=${cfgstring}`,
      `/iscsi create ${lun.target}`,
      `/iscsi/${lun.target}/tpg1/luns create /backstores/${backstore}/${name}`,
      `/iscsi/${lun.target}/tpg1 set attribute authentication=0 generate_node_acls=1 cache_dynamic_acls=1 demo_mode_write_protect=0`,
    );
    return lun;
  }

  /** Have the kernel tell the daemon of task management functions, as it does not by default. */
  notifyTaskManagement(): void {
    const core = '/sys/kernel/config/target/core';
    const hba = readdirSync(core).find((folder) => existsSync(`${core}/${folder}/${this.name}`));
    writeFileSync(`${core}/${hba}/${this.name}/attrib/tmr_notification`, '1');
  }

  /** Through a portal that listens on all addresses. */
  url(host = '127.0.0.1'): string {
    return `iscsi://${host}/${this.target}/0`;
  }

  async remove(): Promise<void> {
    await targetcli(`/iscsi delete ${this.target}`, `/backstores/${this.backstore} delete ${this.name}`);
  }
}
