import { expect } from 'chai';
import { existsSync, readFileSync } from 'node:fs';
import { KernelLog } from './support/kernel-log.js';
import { useLunette } from './support/lunette.js';
import { bash } from './support/run.js';

function disk(output: string): string {
  const path = /(\/dev\/sd\w+)/.exec(output)?.[1];
  if (path === undefined) throw new Error(`the script names no disk:\n${output}`);
  return path;
}

const exercise = (path: string): string => `
  head -c 8M /dev/urandom >/tmp/pattern
  dd if=/tmp/pattern of=${path} bs=1M oflag=direct status=none
  cmp -n 8M /tmp/pattern ${path}
  rm /tmp/pattern`;

describe('targetcli-examples/memory-over-loopback.sh', () => {
  const lunette = useLunette();

  it('makes a disk that works, and --remove takes it away', async () => {
    const { stdout } = await bash('bash targetcli-examples/memory-over-loopback.sh');
    const path = disk(stdout);
    await bash(exercise(path));
    await bash('bash targetcli-examples/memory-over-loopback.sh --remove');
    expect(existsSync(path)).to.equal(false);
  });

  lunette.endsQuietly();
});

describe('targetcli-examples/own-handler.sh', () => {
  it('starts a daemon with a TypeScript handler, makes a disk that works, and --remove ends both', async () => {
    const log = await KernelLog.fromNow();
    const { stdout } = await bash('bash targetcli-examples/own-handler.sh', { timeout: 120_000 });
    const path = disk(stdout);
    await bash(exercise(path));
    await bash('bash targetcli-examples/own-handler.sh --remove');
    expect(existsSync(path)).to.equal(false);
    const daemonLog = readFileSync('/run/lunette-example.log', 'utf8');
    expect(daemonLog).to.match(/"msg":"ready"/);
    expect(daemonLog).not.to.match(/"level":"(error|fatal)"/);
    expect(daemonLog).to.match(/"msg":"stopped"/);
    expect(await log.alarms()).to.deep.equal([]);
  });
});
