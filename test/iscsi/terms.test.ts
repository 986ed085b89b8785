import { expect } from 'chai';
import fc from 'fast-check';
import { read10, write10 } from '../../src/scsi/cdb.js';
import { FINAL, RESERVED_TAG } from '../../src/iscsi/pdu.js';
import { READ, WRITE, type RawInitiator } from './support/raw-initiator.js';
import { startTarget, type Fixture } from './support/target.js';

const BLOCK = 512;
const BLOCKS = 2048;

const terms = fc.record({
  InitialR2T: fc.constantFrom('Yes', 'No'),
  ImmediateData: fc.constantFrom('Yes', 'No'),
  HeaderDigest: fc.constantFrom('None', 'CRC32C'),
  DataDigest: fc.constantFrom('None', 'CRC32C'),
  MaxRecvDataSegmentLength: fc.integer({ min: 512, max: 70000 }).map(String),
  MaxBurstLength: fc.integer({ min: 512, max: 100000 }).map(String),
  FirstBurstLength: fc.integer({ min: 512, max: 100000 }).map(String),
  MaxOutstandingR2T: fc.integer({ min: 1, max: 4 }).map(String),
});

const operation = fc.record({
  write: fc.boolean(),
  lba: fc.nat(BLOCKS - 1),
  blocks: fc.integer({ min: 1, max: 400 }),
  seed: fc.nat(255),
  /** Parts of what may be sent unasked. */
  immediate: fc.double({ min: 0, max: 1, noNaN: true }),
  unsolicited: fc.double({ min: 0, max: 1, noNaN: true }),
  /** Bytes in one Data-Out PDU. */
  piece: fc.integer({ min: 300, max: 20000 }),
});

interface WriteShape {
  readonly immediate: number;
  readonly unsolicited: number;
  readonly piece: number;
}

function sendPieces(
  initiator: RawInitiator,
  itt: number,
  ttt: number,
  data: Buffer,
  offset: number,
  piece: number,
): void {
  for (let at = 0, dataSn = 0; at < data.length || dataSn === 0; at += piece, dataSn++) {
    const flags = at + piece >= data.length ? FINAL : 0;
    initiator.send(
      'dataOut',
      { flags, itt, ttt, dataSn, bufferOffset: offset + at },
      { data: data.subarray(at, at + piece) },
    );
  }
}

async function write(
  initiator: RawInitiator,
  agreed: Record<string, string>,
  lba: number,
  data: Buffer,
  shape: WriteShape,
): Promise<void> {
  const firstBurst = Math.min(Number(agreed.FirstBurstLength), Number(agreed.MaxBurstLength), data.length);
  const immediate = agreed.ImmediateData === 'Yes' ? Math.floor(shape.immediate * firstBurst) : 0;
  const mayGoOn = agreed.InitialR2T === 'No' && immediate < firstBurst;
  const unsolicited = mayGoOn ? Math.floor(shape.unsolicited * (firstBurst - immediate)) : 0;
  const itt = initiator.sendCommand(write10(lba, data.length / BLOCK), {
    flags: WRITE | (unsolicited > 0 ? 0 : FINAL),
    length: data.length,
    data: data.subarray(0, immediate),
  });
  let sent = immediate + unsolicited;
  if (unsolicited > 0) {
    sendPieces(initiator, itt, RESERVED_TAG, data.subarray(immediate, sent), immediate, shape.piece);
  }
  while (sent < data.length) {
    const { values } = await initiator.expect('readyToTransfer');
    const { ttt, bufferOffset, desiredLength } = values;
    expect(bufferOffset).to.equal(sent);
    expect(desiredLength).to.be.at.most(Number(agreed.MaxBurstLength));
    sent += desiredLength;
    sendPieces(initiator, itt, ttt, data.subarray(bufferOffset, sent), bufferOffset, shape.piece);
  }
  expect(await initiator.collect(itt)).to.include({ status: 0, residual: 0 });
}

describe('under any terms', () => {
  let fixture: Fixture;

  beforeEach(async () => {
    fixture = await startTarget();
  });
  afterEach(() => fixture.close());

  it('what was written is read', async function () {
    this.timeout(30_000);
    let count = 0;
    await fc.assert(
      fc.asyncProperty(
        terms,
        fc.array(operation, { minLength: 1, maxLength: 8 }),
        async (keys, operations) => {
          fixture.disk.bytes.fill(0);
          const model = Buffer.alloc(BLOCKS * BLOCK);
          const initiator = await fixture.connect();
          const isid = Uint8Array.of(0, 0, 0, 0, 1, ++count & 0xff);
          const agreed = await initiator.login({ keys, isid });
          await initiator.clearAttention();
          for (const { write: writes, lba, blocks, seed, ...shape } of operations) {
            const length = Math.min(blocks, BLOCKS - lba) * BLOCK;
            const range = model.subarray(lba * BLOCK, lba * BLOCK + length);
            if (writes) {
              range.forEach((_, index) => (range[index] = index * 7 + (index >> 9) + seed));
              await write(initiator, agreed, lba, Buffer.from(range), shape);
            } else {
              const itt = initiator.sendCommand(read10(lba, length / BLOCK), { flags: FINAL | READ, length });
              const { status, data } = await initiator.collect(itt);
              expect(status).to.equal(0);
              expect(Buffer.compare(data, range)).to.equal(0);
            }
          }
          expect(Buffer.compare(fixture.disk.bytes, model)).to.equal(0);
          initiator.destroy();
        },
      ),
      { numRuns: 60 },
    );
  });
});
