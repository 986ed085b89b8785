import { expect } from 'chai';
import { readFileSync, writeFileSync } from 'node:fs';
import { diskKinds, type DiskKind } from './support/disks.js';
import type { LoopbackLun } from './support/lun.js';
import { useLunette } from './support/lunette.js';
import { bash, run } from './support/run.js';
import { exit, fileOf, pattern, Sg3 } from './support/sg3.js';
import { until } from './support/wait.js';

const SIZE = '64M';
const BLOCKS = 131_072;
const BLOCK = 512;
const zeroes = (blocks: number): Buffer => Buffer.alloc(blocks * BLOCK);

/** Lines of `sg_vpd` and `sg_logs` that name a page: "Block limits (SBC) [bl]", "0x0e  Start-stop … [sscc]". */
function acronyms(text: string): string[] {
  return [...text.matchAll(/\[(\w+)\]\s*$/gm)].map(([, name]) => name ?? '');
}

function inquiryTests(sg: () => Sg3): void {
  it('sg_inq: a disk of SPC-4, its versions and the third-party copy bit', async () => {
    const text = await sg().output('sg_inq', '--descriptors');
    expect(text).to.match(/PDT=0 .*version=0x06 +\[SPC-4\]/);
    expect(text).to.match(/3PC=1/);
    expect(text).to.match(/CmdQue=1/);
    expect(text).to.match(/Vendor identification: LUNETTE/);
  });

  it('sg_vpd: every page that is listed is decoded', async () => {
    const pages = acronyms(await sg().output('sg_vpd', '--page=sv'));
    expect(pages).to.include.members(['sv', 'sn', 'di', 'tpc', 'bl', 'bdc', 'lbpv']);
    for (const page of pages) {
      const { stdout, stderr } = await sg().tool('sg_vpd', `--page=${page}`);
      expect(stdout, page).to.match(/VPD page/i);
      expect(stderr + stdout, page).not.to.match(/malformed|too short|truncated|unable to decode|bad /i);
    }
    const limits = await sg().output('sg_vpd', '--page=bl');
    expect(limits).to.match(/Maximum compare and write length: [1-9]/);
    expect(limits).to.match(/Maximum unmap LBA count: [1-9]/);
    expect(limits).to.match(/Maximum write same length: 0x[1-9a-f]/);
  });

  it('sg_modes: each page, its changeable, default and saved values', async () => {
    for (const control of [0, 1, 2]) {
      const text = await sg().output('sg_modes', '--all', `--control=${control}`);
      for (const page of ['Read-Write error recovery', 'Caching', 'Control', 'Informational exceptions'])
        expect(text, `page control ${control}`).to.include(page);
    }
    const subpages = await sg().output('sg_modes', '--all', '--all');
    expect(subpages).to.match(/00 +4a 01/);
  });

  it('sg_wr_mode: descriptor format sense data can be asked for, and the old one again', async () => {
    const control = async (): Promise<string[]> =>
      (await sg().output('sg_modes', '--six', '--page=0xa', '--dbd', '-R')).trim().split(/\s+/);
    const set = async (bytes: readonly string[]): Promise<void> => {
      await sg().tool('sg_wr_mode', '--page=0xa', `--contents=${bytes.join(',')}`);
    };
    const before = await control();
    expect(before.slice(0, 2)).to.deep.equal(['0a', '0a']);
    const wanted = [...before];
    wanted[2] = (Number.parseInt(before[2] ?? '', 16) | 4).toString(16).padStart(2, '0');
    await set(wanted);
    expect(await control()).to.deep.equal(wanted);
    const refused = await run('sg_raw', [sg().lun.generic, 'c1', '00', '00', '00', '00', '00'], {
      mayFail: true,
    });
    expect(refused.output).to.match(/Descriptor format, current/);
    await set(before);
    expect(await control()).to.deep.equal(before);
  });

  it('sg_logs: every page that is listed is there, and the bytes are counted', async () => {
    const names = acronyms(await sg().output('sg_logs'));
    expect(names).to.include.members(['sp', 'we', 're', 've', 'nm', 'sscc', 'gsp']);
    for (const name of names) await sg().tool('sg_logs', `--page=${name}`);
    const written = async (): Promise<number> =>
      Number(/Total bytes processed = (\d+)/.exec(await sg().output('sg_logs', '--page=we'))?.[1]);
    const before = await written();
    await sg().write(0, pattern(16, 1));
    expect((await written()) - before).to.equal(16 * BLOCK);
    await sg().tool('sg_logs', '--reset', '--select');
    expect(await written()).to.equal(0);
  });

  it('sg_opcodes: all commands, one command’s usage map, task management functions', async () => {
    const all = await sg().output('sg_opcodes');
    const names = ['Compare and write', 'Write same(16)', 'Unmap', 'Get LBA status(16)', 'Verify(10)'];
    names.push('Sanitize, overwrite', 'Extended copy(LID1)', 'Persistent reserve out, preempt');
    for (const name of names) expect(all).to.include(name);
    const one = await sg().output('sg_opcodes', '--opcode=0x88');
    expect(one).to.match(/Command is supported \[conforming to SCSI standard\]/);
    expect(one).to.match(/Usage data: 88 f[8a] (ff ){12}/);
    expect(await sg().output('sg_opcodes', '--opcode=0x5e,0')).to.match(/Command is supported/);
    expect(await sg().output('sg_opcodes', '--opcode=0xc1')).to.match(/not supported/i);
    const functions = await sg().output('sg_opcodes', '--tmf');
    expect(functions).to.match(/Abort task/i);
    expect(functions).to.match(/Logical unit reset/i);
  });

  it('sg_luns: LUN 0 (the kernel’s answer)', async () => {
    const text = await sg().output('sg_luns', '--decode');
    expect(text).to.match(/1 lun entry/);
    expect(text).to.match(/Peripheral device addressing: lun=0/);
  });

  it('sg_senddiag, sg_requests, sg_turs, sg_sync, sg_readcap', async () => {
    await sg().tool('sg_senddiag', '--test');
    expect(await sg().output('sg_senddiag', '--list')).to.match(/0x00|Supported diagnostic pages/);
    await sg().tool('sg_requests');
    await sg().tool('sg_turs', '--number=3');
    await sg().tool('sg_sync');
    const capacity = await sg().output('sg_readcap', '--long');
    expect(capacity).to.match(/lbpme=1, lbprz=1/);
    expect(capacity).to.include(`Number of logical blocks=${BLOCKS}`);
  });

  it('sg_start: a stopped unit is not ready, a started one is', async () => {
    await sg().tool('sg_start', '--stop');
    expect((await sg().attempt('sg_turs')).status).to.equal(exit.notReady);
    await sg().tool('sg_start', '--start');
    await sg().tool('sg_turs');
  });
}

function dataTests(sg: () => Sg3): void {
  it('sg_dd: data written are read back and verified, by CDBs of 10, 12 and 16 bytes', async () => {
    const data = pattern(1000, 2);
    const file = fileOf(data);
    for (const [index, size] of [10, 12, 16].entries()) {
      const lba = 2000 * (index + 1);
      const options = ['bs=512', 'count=1000', 'bpt=250', `cdbsz=${size}`, `of=${sg().lun.generic}`];
      await run('sg_dd', [`if=${file}`, `seek=${lba}`, 'oflag=fua,dpo', ...options]);
      expect((await sg().read(lba, 1000)).equals(data), `${size} bytes`).to.equal(true);
      await run('sg_dd', [`if=${file}`, `seek=${lba}`, '--verify', ...options]);
      const wrong = await run('sg_dd', [`if=${file}`, `seek=${lba + 1}`, '--verify', ...options], {
        mayFail: true,
      });
      expect(wrong.status, 'a miscompare').not.to.equal(0);
    }
  });

  it('sg_raw: WRITE(6) and READ(16) move what their CDB asks; a READ past the end is refused', async () => {
    const data = pattern(2, 3);
    const words = (cdb: string): string[] => cdb.split(' ');
    const device = sg().lun.generic;
    await run('sg_raw', ['--send=1024', `--infile=${fileOf(data)}`, device, ...words('0a 00 00 10 02 00')]);
    const read16 = words('88 00 00 00 00 00 00 00 00 10 00 00 00 02 00 00');
    const out = fileOf(new Uint8Array(0));
    await run('sg_raw', ['--request=1024', `--outfile=${out}`, device, ...read16]);
    expect(readFileSync(out).equals(data)).to.equal(true);
    const past = words('28 00 00 02 00 00 00 00 01 00');
    const refused = await run('sg_raw', ['--request=512', device, ...past], { mayFail: true });
    expect(refused.status).to.equal(exit.outOfRange);
    expect(refused.output).to.match(/Logical block address out of range/i);
  });

  it('sg_compare_and_write: swaps a block once, and tells a miscompare', async () => {
    const [before, after] = [pattern(1, 4), pattern(1, 5)];
    await sg().write(8, before);
    const input = `--in=${fileOf(Buffer.concat([before, after]))}`;
    await sg().tool('sg_compare_and_write', input, '--lba=8', '--num=1');
    expect((await sg().read(8, 1)).equals(after)).to.equal(true);
    const again = await sg().attempt('sg_compare_and_write', input, '--lba=8', '--num=1');
    expect(again.status).to.equal(exit.miscompare);
    expect(again.output).to.match(/Miscompare at byte offset: 1 /);
    expect((await sg().read(8, 1)).equals(after)).to.equal(true);
  });

  it('sg_write_same: a block many times, by 10 and 16 bytes; zeroes without data; unmapped', async () => {
    const block = pattern(1, 6);
    for (const [index, size] of [10, 16].entries()) {
      const lba = 256 * (index + 1);
      await sg().write(lba, pattern(34, 7));
      await sg().tool('sg_write_same', `--${size}`, `--in=${fileOf(block)}`, `--lba=${lba + 1}`, '--num=32');
      const got = await sg().read(lba, 34);
      expect(got.subarray(0, BLOCK).equals(pattern(1, 7)), 'the block before').to.equal(true);
      for (let at = 1; at <= 32; at += 1)
        expect(got.subarray(at * BLOCK, (at + 1) * BLOCK).equals(block), `block ${at}`).to.equal(true);
      expect(got.subarray(33 * BLOCK).equals(pattern(34, 7).subarray(33 * BLOCK)), 'the next').to.equal(true);
    }
    await sg().tool('sg_write_same', '--16', '--ndob', '--lba=260', '--num=8');
    expect((await sg().read(260, 8)).equals(zeroes(8))).to.equal(true);
    await sg().write(1024, pattern(256, 8));
    await sg().tool('sg_write_same', '--16', '--unmap', '--lba=1024', '--num=256');
    expect((await sg().lbaStatus(1024)).deallocated).to.equal(true);
    expect((await sg().read(1024, 256)).equals(zeroes(256))).to.equal(true);
  });

  it('sg_unmap and sg_get_lba_status: what is unmapped is told and reads as zeroes', async () => {
    await sg().write(2048, pattern(512, 9));
    expect(await sg().lbaStatus(2048)).to.include({ deallocated: false });
    await sg().tool('sg_unmap', '--force', '--lba=2048', '--num=256');
    expect(await sg().lbaStatus(2048)).to.deep.equal({ blocks: 256, deallocated: true });
    expect((await sg().lbaStatus(2304)).deallocated).to.equal(false);
    const expected = Buffer.concat([zeroes(256), pattern(512, 9).subarray(256 * BLOCK)]);
    expect((await sg().read(2048, 512)).equals(expected)).to.equal(true);
  });

  it('sg_verify: of the medium, against data, against one block many times', async () => {
    const data = pattern(4, 10);
    await sg().write(4096, data);
    await sg().tool('sg_verify', '--lba=4096', '--count=4');
    const good = fileOf(data);
    const against = ['--lba=4096', '--count=4', '--ndo=2048'];
    for (const size of [[], ['--16']]) {
      await sg().tool('sg_verify', ...size, ...against, `--in=${good}`);
      const bad = await sg().attempt('sg_verify', ...size, ...against, `--in=${fileOf(pattern(4, 11))}`);
      expect(bad.status).to.equal(exit.miscompare);
    }
    await sg().tool('sg_write_same', '--16', `--in=${fileOf(pattern(1, 12))}`, '--lba=4096', '--num=64');
    const one = fileOf(pattern(1, 12));
    await sg().tool(
      'sg_verify',
      '--16',
      '--lba=4096',
      '--count=64',
      '--ndo=512',
      '--ebytchk=3',
      `--in=${one}`,
    );
  });

  it('sg_write_verify and sg_write_x: WRITE AND VERIFY, WRITE ATOMIC, ORWRITE', async () => {
    const [low, high] = [Buffer.alloc(BLOCK, 0x0f), Buffer.alloc(BLOCK, 0xf0)];
    for (const size of [[], ['--16']]) {
      const block = pattern(1, 13 + size.length);
      await sg().tool('sg_write_verify', ...size, `--in=${fileOf(block)}`, '--lba=5', '--num=1');
      expect((await sg().read(5, 1)).equals(block)).to.equal(true);
    }
    await sg().write(7, low);
    await sg().tool('sg_write_x', '--or', '--16', `--in=${fileOf(high)}`, '--lba=7', '--num=1');
    expect((await sg().read(7, 1)).equals(Buffer.alloc(BLOCK, 0xff))).to.equal(true);
  });

  it('sg_sanitize: block erase in the background with progress, overwrite with a pattern', async () => {
    await sg().write(0, pattern(16, 15));
    await sg().tool('sg_sanitize', '--block', '--early', '--quick');
    await until('the sanitize operation', async () => (await sg().attempt('sg_turs')).status === 0, 60_000);
    expect((await sg().read(0, 16)).equals(zeroes(16))).to.equal(true);
    const block = pattern(1, 16);
    await sg().tool('sg_sanitize', '--overwrite', `--pattern=${fileOf(block)}`, '--wait', '--quick');
    for (const lba of [0, BLOCKS / 2, BLOCKS - 1])
      expect((await sg().read(lba, 1)).equals(block), `block ${lba}`).to.equal(true);
  });

  it('sg_format: the whole disk reads as zeroes, at its old size', async () => {
    await sg().write(BLOCKS - 8, pattern(8, 17));
    await sg().tool('sg_format', '--format', '--quick', '--wait');
    expect((await sg().read(BLOCKS - 8, 8)).equals(zeroes(8))).to.equal(true);
    expect(sg().lun.size).to.equal(BLOCKS * BLOCK);
  });
}

function copyTests(sg: () => Sg3, other: () => Sg3): void {
  const copy = (from: Sg3, to: Sg3, ...args: string[]) =>
    run('sg_xcopy', [`if=${from.lun.generic}`, `of=${to.lun.generic}`, 'bs=512', ...args]);

  it('sg_xcopy: within a disk and to another disk', async () => {
    const data = pattern(2000, 18);
    await sg().write(100, data);
    await copy(sg(), sg(), 'skip=100', 'seek=10000', 'count=2000');
    expect((await sg().read(10_000, 2000)).equals(data)).to.equal(true);
    await other().write(299, pattern(2002, 19));
    await copy(sg(), other(), 'skip=100', 'seek=300', 'count=2000');
    const got = await other().read(299, 2002);
    expect(got.subarray(BLOCK, 2001 * BLOCK).equals(data)).to.equal(true);
    expect(got.subarray(0, BLOCK).equals(pattern(1, 19)), 'the block before').to.equal(true);
    expect(got.subarray(2001 * BLOCK).equals(pattern(2002, 19).subarray(2001 * BLOCK)), 'the next').to.equal(
      true,
    );
  });

  it('sg_copy_results: the copy manager’s limits', async () => {
    const text = await sg().output('sg_copy_results', '--params');
    expect(text).to.match(/Segment descriptor 0x02: Copy from block device to block device/);
    expect(text).to.match(/Target descriptor 0xe4: Identification descriptor/);
  });
}

function reservationTests(sg: () => Sg3): void {
  const persist = (...args: string[]) => sg().output('sg_persist', ...args);

  async function registersAndReserves(): Promise<void> {
    expect(await persist('--in', '--report-capabilities')).to.match(/Type Mask Valid\(TMV\): 1/);
    await persist('--out', '--register', '--param-sark=abc123');
    expect(await persist('--in', '--read-keys')).to.match(/1 registered reservation key follows:\s+0xabc123/);
    await persist('--out', '--reserve', '--param-rk=abc123', '--prout-type=5');
    const reservation = await persist('--in', '--read-reservation');
    expect(reservation).to.match(/Key=0xabc123\s+scope: LU_SCOPE, +type: Write Exclusive, registrants only/);
    expect(await persist('--in', '--read-full-status')).to.match(/<< Reservation holder >>/);
    await sg().write(0, pattern(1, 20));
    await persist('--out', '--release', '--param-rk=abc123', '--prout-type=5');
    expect(await persist('--in', '--read-reservation')).to.match(/NO reservation held/);
    const wrong = await sg().attempt('sg_persist', '--out', '--clear', '--param-rk=123');
    expect(wrong.output).to.match(/[Rr]eservation conflict/);
    await persist('--out', '--clear', '--param-rk=abc123');
    expect(await persist('--in', '--read-keys')).to.match(/NO registered reservation keys/);
  }

  it('sg_persist: registers, reserves, releases and clears (the kernel’s answers)', registersAndReserves);

  it('sg_persist: the same where pgr_support=0 passes reservations to the logical unit', async () => {
    writeFileSync(`${sg().lun.configfs}/attrib/pgr_support`, '0');
    await registersAndReserves();
    writeFileSync(`${sg().lun.configfs}/attrib/pgr_support`, '1');
  });
}

function tests(kind: DiskKind): void {
  let first: Sg3;
  let second: Sg3;
  const luns: LoopbackLun[] = [];

  before(async () => {
    for (let made = 0; made < 2; made += 1) luns.push(await kind.create(SIZE));
    [first, second] = luns.map((lun) => new Sg3(lun)) as [Sg3, Sg3];
  });
  inquiryTests(() => first);
  dataTests(() => first);
  copyTests(
    () => first,
    () => second,
  );
  reservationTests(() => first);

  it('sg_reset: a reset of the LUN is told once', async () => {
    await first.tool('sg_reset', '--device');
    expect((await first.attempt('sg_turs')).status).to.equal(exit.unitAttention);
    await first.tool('sg_turs');
  });
  after(async () => {
    for (const lun of luns) await lun.remove();
    await bash('rm -f /tmp/sg3-*');
  });
}

describe('sg3_utils', () => {
  const lunette = useLunette({ args: ['--copy-between-luns'] });
  for (const kind of diskKinds) describe(`${kind.name} over loopback`, () => tests(kind));
  lunette.endsQuietly();
});
