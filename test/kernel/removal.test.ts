import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { diskKinds, fileDisk } from './support/disks.js';
import { LoopbackLun } from './support/lun.js';
import { moodyHandler, useLunette } from './support/lunette.js';
import { bash } from './support/run.js';
import { until } from './support/wait.js';

describe('LUNs deleted with targetcli', () => {
  const lunette = useLunette({ args: ['--handler', moodyHandler], expectedAlarms: /I\/O error|Synchroniz/ });

  async function untilClean(before: readonly string[]): Promise<void> {
    const { daemon } = lunette;
    await until('the daemon to let go of its devices', () => daemon.deviceMappings().length === 0);
    await until(
      'the daemon’s descriptors to be as before',
      () => daemon.descriptors().length <= before.length,
    );
    expect(daemon.descriptors().sort()).to.deep.equal([...before].sort());
    expect(readdirSync('/sys/class/uio')).to.deep.equal([]);
  }

  it('leave no descriptor and no mapping', async () => {
    const before = lunette.daemon.descriptors();
    const luns: LoopbackLun[] = [];
    for (const kind of diskKinds) luns.push(await kind.create('64M'));
    luns.push(await LoopbackLun.create({ backstore: 'user:null', size: '64M', cfgstring: '' }));
    expect(lunette.daemon.deviceMappings()).not.to.deep.equal([]);
    for (const lun of luns) {
      await bash(`dd if=/dev/urandom of=${lun.path} bs=64k count=64 oflag=direct status=none`);
      await lun.remove();
    }
    await untilClean(before);
  });

  it('may have commands in flight', async () => {
    const before = lunette.daemon.descriptors();
    const lun = await fileDisk.create('64M');
    const fio = spawn(
      'fio',
      `--name=busy --filename=${lun.path} --direct=1 --ioengine=libaio --iodepth=32 --rw=randrw --time_based --runtime=60`.split(
        ' ',
      ),
      { stdio: 'ignore' },
    );
    const ended = once(fio, 'exit');
    await until('fio to write', () => lun.writtenBytes() > 2 ** 20);
    await lun.remove();
    await ended;
    await untilClean(before);
  });

  it('may have a command in flight that takes its time', async () => {
    const before = lunette.daemon.descriptors();
    const lun = await LoopbackLun.create({ backstore: 'user:moody', size: '64M', cfgstring: '?delay=1500' });
    const writer = bash(`dd if=/dev/zero of=${lun.path} bs=4k seek=2 count=1 oflag=direct`, {
      mayFail: true,
    });
    await lunette.daemon.logged('the write', /writing at 8192/);
    await lun.remove();
    await writer;
    await untilClean(before);
  });

  it('did not hurt the daemon: the next LUN works', async () => {
    const lun = await fileDisk.create('16M');
    await bash(`head -c 16M /dev/urandom >/tmp/pattern
      dd if=/tmp/pattern of=${lun.path} bs=1M oflag=direct status=none
      cmp /tmp/pattern ${lun.path}; rm /tmp/pattern`);
    await lun.remove();
  });

  lunette.endsQuietly();
});
