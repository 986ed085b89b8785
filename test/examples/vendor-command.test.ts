import { expect } from 'chai';
import { counted } from '../../examples/vendor-command.js';
import { additionalSense, senseKey } from '../../src/scsi/sense.js';
import { pattern, quietLog as log, senseOf, serve, type Served } from '../conformance/support.js';

const readCounters = (allocationLength: number): Uint8Array =>
  Uint8Array.of(0xc0, 0, 0, 0, 0, 0, 0, allocationLength >> 8, allocationLength & 0xff, 0);
const fill = (value: number): Uint8Array => Uint8Array.of(0xc1, 0, value, 0, 0, 0, 0, 0, 0, 0);

describe('examples/vendor-command.ts', () => {
  let served: Served;

  beforeEach(async () => {
    served = serve(await counted.open({}, { size: 2 ** 20, log }), {}, { checkedBuffers: true });
  });

  afterEach(() => served.device.close());

  async function counters(): Promise<{ reads: number; writes: number }> {
    const data = await served.initiator.raw(readCounters(16), { dataInLength: 16 });
    const words = new DataView(data.buffer, data.byteOffset, data.byteLength);
    return { reads: Number(words.getBigUint64(0)), writes: Number(words.getBigUint64(8)) };
  }

  it('counts reads and writes, and tells them by a command of its own', async () => {
    expect(await counters()).to.deep.equal({ reads: 0, writes: 0 });
    await served.initiator.write(0, pattern(512, 1));
    await served.initiator.read(0, 1);
    await served.initiator.read(8, 1);
    expect(await counters()).to.deep.equal({ reads: 2, writes: 1 });
  });

  it('answers no more than the allocation length, and what there is of more', async () => {
    await served.initiator.read(0, 1);
    const short = await served.initiator.raw(readCounters(8), { dataInLength: 8 });
    expect([...short]).to.deep.equal([0, 0, 0, 0, 0, 0, 0, 1]);
    const long = await served.initiator.raw(readCounters(512), { dataInLength: 512 });
    expect(long.length).to.equal(16);
  });

  it('fills the disk by a command without data', async () => {
    await served.initiator.raw(fill(0xe5));
    const bytes = await served.initiator.read(2047, 1);
    expect(bytes.every((byte) => byte === 0xe5)).to.equal(true);
  });

  it('lists both commands in REPORT SUPPORTED OPERATION CODES, and refuses others', async () => {
    const report = Uint8Array.of(0xa3, 0x0c, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0);
    const data = await served.initiator.raw(report, { dataInLength: 4096 });
    const opcodes: number[] = [];
    for (let at = 4; at < data.length; at += 8) opcodes.push(data[at]);
    expect(opcodes).to.include.members([0xc0, 0xc1]).and.not.include(0xc2);
    expect(
      await senseOf(() => served.initiator.raw(Uint8Array.of(0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0))),
    ).to.deep.equal({
      key: senseKey.illegalRequest,
      code: additionalSense.invalidCommandOperationCode,
    });
  });
});
