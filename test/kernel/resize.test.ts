import { expect } from 'chai';
import { writeFileSync } from 'node:fs';
import { fileDisk, memoryDisk } from './support/disks.js';
import type { LoopbackLun } from './support/lun.js';
import { useLunette } from './support/lunette.js';
import { bash, run } from './support/run.js';
import { targetcli } from './support/targetcli.js';
import { until } from './support/wait.js';

const mib = 2 ** 20;

async function grow(lun: LoopbackLun, backstore: string, bytes: number): Promise<void> {
  await targetcli(`/backstores/${backstore}/${lun.name} set attribute dev_size=${bytes}`);
  writeFileSync(`/sys/block/${lun.kernelName}/device/rescan`, '1\n');
  await until(`${lun.path} to have ${bytes} bytes`, () => lun.size === bytes);
}

describe('a disk that is changed while it lives', () => {
  const lunette = useLunette({
    expectedErrors: /limit: |no write cache/,
    expectedAlarms: /critical (space allocation|target|medium) error|I\/O error/,
  });

  it('is seen grown after its file has grown and LIO was told; its data stays, the new part works', async () => {
    const lun = await fileDisk.create('64M');
    await bash(`head -c 64M /dev/urandom >/tmp/pattern
      dd if=/tmp/pattern of=${lun.path} bs=1M oflag=direct status=none
      truncate -s 160M ${lun.image}`);
    await grow(lun, 'user:file', 160 * mib);
    const { stdout } = await run('lsblk', ['--bytes', '--noheadings', '-o', 'SIZE', lun.path]);
    expect(Number(stdout)).to.equal(160 * mib);
    await bash(`cmp -n 64M /tmp/pattern ${lun.path}
      cmp -n 96M -i 64M:0 ${lun.path} /dev/zero
      dd if=/tmp/pattern of=${lun.path} bs=1M seek=96 oflag=direct status=none
      cmp -n 64M -i 96M:0 ${lun.path} /tmp/pattern
      rm /tmp/pattern`);
    await lun.remove();
  });

  it('grows under a mounted file system', async () => {
    const lun = await memoryDisk.create('64M');
    await bash(`mkdir -p /mnt/grown; mkfs.ext4 -q ${lun.path}; mount ${lun.path} /mnt/grown
      head -c 16M /dev/urandom >/tmp/pattern; cp /tmp/pattern /mnt/grown/one`);
    await grow(lun, 'user:memory', 256 * mib);
    await bash(`resize2fs ${lun.path}
      head -c 128M /dev/urandom >/mnt/grown/two
      umount /mnt/grown; mount ${lun.path} /mnt/grown
      cmp /tmp/pattern /mnt/grown/one
      umount /mnt/grown; e2fsck -fn ${lun.path}; rm /tmp/pattern`);
    await lun.remove();
  });

  it('shrinks under I/O: what lies beyond is refused, and an initiator that looks again knows', async () => {
    const lun = await memoryDisk.create('128M');
    await grow(lun, 'user:memory', 64 * mib);
    await bash(`head -c 64M /dev/urandom >/tmp/pattern
      dd if=/tmp/pattern of=${lun.path} bs=1M oflag=direct iflag=fullblock status=none
      cmp -n 64M /tmp/pattern ${lun.path}; rm /tmp/pattern`);
    await lun.remove();
  });

  it('takes another configuration while it is written to, and keeps its data', async () => {
    const lun = await memoryDisk.create('64M');
    await bash(`head -c 4M /dev/urandom >/tmp/pattern
      dd if=/tmp/pattern of=${lun.path} bs=1M oflag=direct iflag=fullblock status=none`);
    writeFileSync(`${lun.configfs}/attrib/dev_config`, 'memory/?limit=8M');
    await bash(`cmp -n 4M /tmp/pattern ${lun.path}
      ! dd if=/dev/urandom of=${lun.path} bs=1M count=32 oflag=direct iflag=fullblock status=none
      rm /tmp/pattern`);
    await lun.remove();
  });

  it('refuses a bad configuration for a live disk, which goes on', async () => {
    const lun = await memoryDisk.create('64M');
    expect(() => writeFileSync(`${lun.configfs}/attrib/dev_config`, 'memory/?limit=much')).to.throw(/EINVAL/);
    expect(() => writeFileSync(`${lun.configfs}/attrib/emulate_write_cache`, '1')).to.throw(
      /EOPNOTSUPP|ENOTSUP/,
    );
    await bash(`head -c 4M /dev/urandom | dd of=${lun.path} bs=1M oflag=direct iflag=fullblock status=none`);
    await lun.remove();
  });

  lunette.endsQuietly();
});
