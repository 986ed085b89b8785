import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { diskKinds } from './support/disks.js';
import type { LoopbackLun } from './support/lun.js';
import { useLunette } from './support/lunette.js';
import { run } from './support/run.js';

describe('what a disk says of itself', () => {
  const lunette = useLunette();

  for (const kind of diskKinds) {
    describe(`${kind.name} over loopback`, () => {
      let lun: LoopbackLun;
      const output = async (program: string, ...args: string[]) =>
        (await run(program, [...args, lun.path])).stdout;
      const page = (name: string) => output('sg_vpd', '--page', name);

      before(async () => {
        lun = await kind.create('512M');
      });

      it('is a disk of the asked size in lsblk', async () => {
        const { stdout } = await run('lsblk', [
          '--bytes',
          '--noheadings',
          '-o',
          'TYPE,SIZE,LOG-SEC,RO',
          lun.path,
        ]);
        expect(stdout.trim().split(/\s+/)).to.deep.equal(['disk', String(512 * 2 ** 20), '512', '0']);
      });

      it('answers INQUIRY as a direct-access device of SPC-4 or later', async () => {
        const text = await output('sg_inq');
        expect(text).to.match(/PDT=0/);
        expect(text).to.match(/version=0x0[6-9]/);
        expect(text).to.match(/CmdQue=1/);
        expect(text).to.match(/Peripheral device type: disk/);
      });

      it('lists the VPD pages it has, and has each that it lists', async () => {
        const bytes = async (code: number) => {
          const { stdout } = await run('sg_vpd', ['-HHH', '--page', `0x${code.toString(16)}`, lun.path]);
          return Buffer.from(stdout.replace(/\s/g, ''), 'hex');
        };
        const codes = [...(await bytes(0)).subarray(4)];
        expect(codes).to.deep.equal([0x00, 0x80, 0x83, 0x86, 0x87, 0x8f, 0xb0, 0xb1, 0xb2]);
        for (const code of codes) {
          const raw = await bytes(code);
          expect(raw[1], 'page code').to.equal(code);
          expect(raw.readUInt16BE(2), 'page length').to.equal(raw.length - 4);
        }
      });

      it('has LIO’s unit serial number in pages 80h and 83h', async () => {
        const serial = /: (\S+)/.exec(readFileSync(`${lun.configfs}/wwn/vpd_unit_serial`, 'utf8'))?.[1] ?? '';
        expect(serial).not.to.equal('');
        expect(await page('sn')).to.include(serial);
        expect(await page('di')).to.match(/NAA 6|T10 vendor identification/);
      });

      it('offers UNMAP and WRITE SAME in the block limits and in logical block provisioning', async () => {
        expect(await page('bl')).to.match(/Maximum unmap LBA count: [1-9-]/);
        expect(await page('lbpv')).to.match(/Unmap command supported \(LBPU\): 1/);
        expect(await page('lbpv')).to.match(/Write same \(16\) with unmap bit supported \(LBPWS\): 1/);
      });

      it('gives its capacity to READ CAPACITY 10 and 16', async () => {
        for (const flag of [[], ['--long']]) {
          const { stdout } = await run('sg_readcap', [...flag, lun.path]);
          expect(stdout).to.match(/Logical block length=512 bytes/);
          expect(stdout).to.match(/Number of logical blocks=1048576|last LBA=1048575|Last LBA=1048575/i);
        }
      });

      it('has a volatile write cache where a flush means something', async () => {
        const cache = readFileSync(`/sys/block/${lun.kernelName}/queue/write_cache`, 'utf8').trim();
        expect(cache).to.equal(kind.name === 'file' ? 'write back' : 'write through');
      });

      it('shows its caching and control mode pages', async () => {
        const { stdout } = await run('sg_modes', ['--all', lun.path]);
        expect(stdout).to.match(/Caching/);
        expect(stdout).to.match(/Control/);
      });

      it('lists the commands it supports', async () => {
        const { stdout } = await run('sg_opcodes', [lun.path]);
        for (const name of ['Read(10)', 'Write(16)', 'Unmap', 'Inquiry', 'Synchronize cache(10)']) {
          expect(stdout).to.include(name);
        }
      });

      it('refuses a vendor opcode with INVALID COMMAND OPERATION CODE', async () => {
        const { status, output: text } = await run('sg_raw', [lun.path, 'c1', '00', '00', '00', '00', '00'], {
          mayFail: true,
        });
        expect(status).not.to.equal(0);
        expect(text).to.match(/Invalid command operation code/i);
      });

      it('says at a read past the end that the address is out of range', async () => {
        const { status, output: text } = await run(
          'sg_raw',
          ['-r', '512', lun.path, '28', '00', '00', '10', '00', '00', '00', '00', '01', '00'],
          { mayFail: true },
        );
        expect(status).not.to.equal(0);
        expect(text).to.match(/Logical block address out of range/i);
      });

      after(() => lun?.remove());
    });
  }

  lunette.endsQuietly();
});
