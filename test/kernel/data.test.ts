import { expect } from 'chai';
import { mkdirSync } from 'node:fs';
import { diskKinds, fileDisk, freshImage } from './support/disks.js';
import { verifyWithFio } from './support/fio.js';
import { LoopbackLun } from './support/lun.js';
import { useLunette } from './support/lunette.js';
import { bash, run } from './support/run.js';

const mount = '/mnt/data';

/** Write 64 MiB of random bytes to a new file system, and compare after the page cache is gone. */
async function keepsFiles(lun: LoopbackLun, mkfs: string, check: string): Promise<void> {
  mkdirSync(mount, { recursive: true });
  await bash(`
    ${mkfs} ${lun.path}
    mount ${lun.path} ${mount}
    head -c 64M /dev/urandom >/tmp/random
    cp /tmp/random ${mount}/data
    mkdir ${mount}/folder
    for i in $(seq 50); do echo "file $i" >${mount}/folder/$i; done
    umount ${mount}
    echo 3 >/proc/sys/vm/drop_caches
    mount ${lun.path} ${mount}`);
  try {
    await run('cmp', ['/tmp/random', `${mount}/data`]);
    const { stdout } = await bash(`cat ${mount}/folder/* | sort | uniq | wc -l`);
    expect(stdout.trim()).to.equal('50');
  } finally {
    await bash(`umount ${mount}; rm /tmp/random`);
  }
  await bash(`${check} ${lun.path}`);
}

describe('data', () => {
  const lunette = useLunette();

  for (const kind of diskKinds) {
    describe(`${kind.name} over loopback`, () => {
      let lun: LoopbackLun;
      before(async () => {
        lun = await kind.create('512M');
      });
      after(() => lun?.remove());

      it('keeps an ext4 file system’s files over umount and mount', () =>
        keepsFiles(lun, 'mkfs.ext4 -q', 'e2fsck -fn'));

      it('keeps an xfs file system’s files over umount and mount', () =>
        keepsFiles(lun, 'mkfs.xfs -q -f', 'xfs_repair -n'));

      for (const depth of [1, 32]) {
        it(`returns what fio wrote, 512 bytes to 1 MiB, at queue depth ${depth}`, () =>
          verifyWithFio(lun.path, depth));
      }

      it('has no bad block', async () => {
        const before = lun.writtenBytes();
        const { output } = await run(
          'badblocks',
          ['-w', '-v', '-b', '4096', '-c', '512', lun.path, '16384'],
          { timeout: 120_000 },
        );
        // Four patterns, each over 64 MiB, that went to the disk.
        expect(lun.writtenBytes() - before).to.be.at.least(4 * 64 * 2 ** 20);
        expect(output).to.match(/Pass completed, 0 bad blocks found/);
      });
    });
  }

  describe('discard', () => {
    for (const kind of diskKinds) {
      it(`blkdiscard leaves zeroes on a ${kind.name} disk`, async () => {
        const lun = await kind.create('128M');
        await bash(`
          differs() { if cmp -s "$@"; then echo "no difference: $*"; exit 1; fi; }
          head -c 128M /dev/urandom | dd of=${lun.path} bs=1M oflag=direct iflag=fullblock status=none
          blkdiscard --offset 32M --length 64M ${lun.path}
          cmp -n 64M -i 32M:0 ${lun.path} /dev/zero
          differs -n 32M ${lun.path} /dev/zero
          differs -n 32M -i 96M:0 ${lun.path} /dev/zero
          blkdiscard ${lun.path}
          cmp -n 128M ${lun.path} /dev/zero
          head -c 1M /dev/urandom | dd of=${lun.path} bs=1M oflag=direct iflag=fullblock status=none
          blkdiscard --zeroout --length 1M ${lun.path}
          cmp -n 1M ${lun.path} /dev/zero`);
        await lun.remove();
      });
    }

    it('gives a file’s blocks back', async () => {
      const lun = await fileDisk.create('128M');
      const blocks = async () => Number((await run('stat', ['-c', '%b', lun.image])).stdout);
      await bash(
        `head -c 64M /dev/urandom | dd of=${lun.path} bs=1M oflag=direct iflag=fullblock status=none`,
      );
      const before = await blocks();
      expect(before * 512).to.be.at.least(64 * 2 ** 20);
      await run('blkdiscard', [lun.path]);
      expect((await blocks()) * 512).to.be.below(2 ** 20);
      await lun.remove();
    });

    it('gives memory back: a disk with a limit can be filled again and again', async () => {
      const lun = await LoopbackLun.create({
        backstore: 'user:memory',
        size: '256M',
        cfgstring: '?limit=64M',
      });
      for (const start of [0, 60, 120, 180]) {
        await bash(`
          head -c 60M /dev/urandom | dd of=${lun.path} seek=${start} bs=1M oflag=direct iflag=fullblock status=none
          blkdiscard --offset ${start}M --length 60M ${lun.path}`);
      }
      await lun.remove();
    });
  });

  it('of several LUNs written at the same time is kept apart', async () => {
    const luns: LoopbackLun[] = [];
    for (const kind of [...diskKinds, ...diskKinds]) luns.push(await kind.create('128M'));
    await Promise.all(luns.map((lun) => verifyWithFio(lun.path, 8)));
    for (const lun of luns) await lun.remove();
  });

  it('passes fio’s verification on an image opened with direct=1, on a disk of blocks of 4096 bytes', async () => {
    const host = await LoopbackLun.create({ backstore: 'ramdisk', size: '256M' });
    const folder = '/mnt/images';
    mkdirSync(folder, { recursive: true });
    await bash(`mkfs.ext4 -q ${host.path} && mount ${host.path} ${folder}`);
    try {
      const lun = await LoopbackLun.create({
        backstore: 'user:file',
        size: '128M',
        control: 'hw_block_size=4096',
        cfgstring: `${freshImage(folder)}?create=1&direct=1&block_size=4096`,
      });
      await verifyWithFio(lun.path, 32, 4096);
      await lun.remove();
    } finally {
      await bash(`umount ${folder}`);
    }
    await host.remove();
  });

  lunette.endsQuietly();
});
