import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { freshImage } from './support/disks.js';
import { verifyWithFio } from './support/fio.js';
import { LoopbackLun } from './support/lun.js';
import { useLunette } from './support/lunette.js';
import { bash } from './support/run.js';

describe('examples/replicate.ts: buffers that are held after their command was answered', () => {
  const lunette = useLunette({ args: ['--handler', './examples/replicate.ts'] });

  it('reach the second file, and are given back to the kernel', async () => {
    const [path, copy] = [freshImage(), freshImage()];
    const lun = await LoopbackLun.create({
      backstore: 'user:replicate',
      size: '64M',
      cfgstring: `${path}?copy=${copy}`,
    });
    // Handlers hear of aborted commands.
    expect(readFileSync(`${lun.configfs}/attrib/tmr_notification`, 'utf8').trim()).to.equal('1');
    await verifyWithFio(lun.path, 32);
    // More than the data area could hold if a buffer were lost.
    await bash(`for round in 1 2 3; do
        head -c 64M /dev/urandom >/tmp/pattern
        dd if=/tmp/pattern of=${lun.path} bs=1M oflag=direct conv=fsync iflag=fullblock status=none
      done
      cmp /tmp/pattern ${path}; cmp /tmp/pattern ${copy}; rm /tmp/pattern`);
    await lun.remove();
    expect(lunette.daemon.complaints()).to.deep.equal([]);
  });

  lunette.endsQuietly();
});
