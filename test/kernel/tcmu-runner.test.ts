import { expect } from 'chai';
import { memoryDisk } from './support/disks.js';
import { LoopbackLun } from './support/lun.js';
import { useLunette } from './support/lunette.js';
import { bash } from './support/run.js';
import { attempt, targetcli } from './support/targetcli.js';
import { TcmuRunner } from './support/tcmu-runner.js';

describe('beside tcmu-runner, which owns the bus name', () => {
  let runner: TcmuRunner | undefined;
  before(async () => {
    runner = await TcmuRunner.start();
  });
  const lunette = useLunette();
  after(() => runner?.stop());

  it('targetcli lists the handlers of both', async () => {
    const listing = await targetcli('ls /backstores 1');
    for (const name of ['memory', 'file', 'null', 'qcow'])
      expect(listing).to.match(new RegExp(`user:${name}\\b`));
  });

  it('a bad cfgstring is refused in the handler’s own words', async () => {
    const { failed, output } = await attempt(
      '/backstores/user:memory create name=bad size=1M cfgstring=?limit=12Q',
    );
    expect(failed).to.equal(true);
    expect(output).to.match(/cfgstring invalid: .*12Q/);
  });

  it('LUNs of both work at the same time', async () => {
    await bash(`${qcow('/tmp/disk.qcow', 64)}`);
    const theirs = await LoopbackLun.create({
      backstore: 'user:qcow',
      size: '64M',
      cfgstring: '/tmp/disk.qcow',
    });
    const ours = await memoryDisk.create('64M', 'nl_reply_supported=-1');
    for (const lun of [theirs, ours]) {
      await bash(`head -c 16M /dev/urandom >/tmp/pattern
        dd if=/tmp/pattern of=${lun.path} bs=1M oflag=direct status=none
        cmp -n 16M /tmp/pattern ${lun.path}; rm /tmp/pattern`);
    }
    await ours.remove();
    await theirs.remove();
  });

  lunette.endsQuietly();
});

/** Shell for an empty image of version 1 of QEMU's format: a header and a zeroed L1 table. */
function qcow(path: string, mib: number): string {
  const size = (mib * 2 ** 20).toString(16).padStart(16, '0');
  // Magic, version, no backing file (offset, length), mtime, size, cluster bits 12, L2 bits 9, padding, no
  // encryption, L1 table at 48.
  const header = `514649fb 00000001 0000000000000000 00000000 00000000 ${size} 0c 09 0000 00000000 0000000000000030`;
  const escaped = header.replaceAll(' ', '').replace(/../g, '\\x$&');
  return `printf '${escaped}' >${path}; truncate -s 4096 ${path}`;
}
