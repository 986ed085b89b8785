import { expect } from 'chai';
import { read10, readCapacity10, inquiry, testUnitReady, write10 } from '../../src/scsi/cdb.js';
import { decodeSense } from '../../src/scsi/sense-data.js';
import { FINAL, rejectReason, RESERVED_TAG } from '../../src/iscsi/pdu.js';
import { READ, WRITE, type RawInitiator, type Received } from './support/raw-initiator.js';
import { startTarget, type Fixture } from './support/target.js';

const pattern = (length: number, seed = 1): Buffer =>
  Buffer.from(Uint8Array.from({ length }, (_, index) => (index * seed + (index >> 8)) & 0xff));

describe('an iSCSI session', () => {
  let fixture: Fixture;
  let initiator: RawInitiator;

  beforeEach(async () => {
    fixture = await startTarget();
  });
  afterEach(() => fixture.close());

  async function sendData(itt: number, data: Buffer, size: number, ttt: number, offset = 0): Promise<void> {
    for (let at = 0, dataSn = 0; at < data.length; at += size, dataSn++) {
      const flags = at + size >= data.length ? FINAL : 0;
      initiator.send(
        'dataOut',
        { flags, itt, ttt, dataSn, bufferOffset: offset + at },
        { data: data.subarray(at, at + size) },
      );
    }
    return Promise.resolve();
  }

  describe('with the usual terms', () => {
    beforeEach(async () => {
      initiator = await fixture.attach({ InitialR2T: 'No', ImmediateData: 'Yes' });
    });

    it('reads in one PDU that carries the status', async () => {
      fixture.disk.bytes.set(pattern(4096), 8192);
      initiator.sendCommand(read10(16, 8), { flags: FINAL | READ, length: 4096 });
      const { values, data } = await initiator.expect('dataIn');
      expect(values.flags).to.equal(0x81);
      expect(values.ttt).to.equal(RESERVED_TAG);
      expect(data).to.deep.equal(pattern(4096));
    });

    it('reads in as many PDUs as the initiator wants, of any length', async () => {
      const other = await fixture.attach(
        { MaxRecvDataSegmentLength: '700', MaxBurstLength: '2048' },
        { initiatorName: 'iqn.2024-01.org.example:small' },
      );
      fixture.disk.bytes.set(pattern(8192, 3));
      const itt = other.sendCommand(read10(0, 16), { flags: FINAL | READ, length: 8192 });
      const lengths: number[] = [];
      const pieces: Buffer[] = [];
      let bursts = 0;
      for (let last = false; !last;) {
        const { values, data } = await other.expect('dataIn');
        expect(values.itt).to.equal(itt);
        lengths.push(data.length);
        pieces.push(data);
        if ((values.flags & FINAL) !== 0) bursts++;
        last = (values.flags & 0x01) !== 0;
      }
      expect(Buffer.concat(pieces)).to.deep.equal(pattern(8192, 3));
      expect(lengths.slice(0, 4)).to.deep.equal([700, 700, 648, 700]);
      expect(bursts).to.equal(4);
    });

    it('writes with immediate data', async () => {
      const data = pattern(1024, 5);
      const itt = initiator.sendCommand(write10(4, 2), { flags: FINAL | WRITE, length: 1024, data });
      expect(await initiator.collect(itt)).to.include({ status: 0, residual: 0 });
      expect(Buffer.from(fixture.disk.bytes.subarray(2048, 3072))).to.deep.equal(data);
    });

    it('writes with immediate, unsolicited and solicited data, in many pieces', async () => {
      const data = pattern(600 * 1024, 7);
      const itt = initiator.sendCommand(write10(0, 1200), {
        flags: WRITE,
        length: data.length,
        data: data.subarray(0, 1000),
      });
      // FirstBurstLength is its default of 64 KiB: immediate and unsolicited together.
      await sendData(itt, data.subarray(1000, 65536), 1000, RESERVED_TAG, 1000);
      for (let served = 65536; served < data.length;) {
        const { values } = await initiator.expect('readyToTransfer');
        expect(values.bufferOffset).to.equal(served);
        expect(values.itt).to.equal(itt);
        served += values.desiredLength;
        await sendData(
          itt,
          data.subarray(values.bufferOffset, served),
          5000,
          values.ttt,
          values.bufferOffset,
        );
      }
      expect(await initiator.collect(itt)).to.include({ status: 0, residual: 0 });
      expect(Buffer.compare(fixture.disk.bytes.subarray(0, data.length), data)).to.equal(0);
    });

    it('runs immediate commands outside of the order of numbers', async () => {
      const before = initiator.cmdSn;
      const itt = initiator.sendCommand(testUnitReady(), { immediate: true });
      expect(await initiator.collect(itt)).to.include({ status: 0 });
      expect(initiator.cmdSn).to.equal(before);
      expect(await initiator.run(testUnitReady())).to.include({ status: 0 });
    });

    it('brings commands into order, and ignores numbers outside of the window', async () => {
      const { cmdSn } = initiator;
      initiator.sendCommand(testUnitReady(), { cmdSn: cmdSn + 100000 });
      initiator.sendCommand(testUnitReady(), { cmdSn: cmdSn - 1 });
      const third = initiator.sendCommand(testUnitReady(), { cmdSn: cmdSn + 2 });
      const second = initiator.sendCommand(testUnitReady(), { cmdSn: cmdSn + 1 });
      const first = initiator.sendCommand(testUnitReady(), { cmdSn });
      for (const itt of [first, second, third]) await initiator.collect(itt);
      expect(initiator.pending).to.equal(0);
    });

    it('answers pings, with and without data', async () => {
      initiator.send(
        'nopOut',
        { flags: FINAL, itt: 77, ttt: RESERVED_TAG, cmdSn: initiator.cmdSn },
        { immediate: true, data: Buffer.from('ping') },
      );
      const first = await initiator.expect('nopIn');
      expect(first.data.toString()).to.equal('ping');
      expect(first.values).to.include({ itt: 77, ttt: RESERVED_TAG });
      initiator.send('nopOut', { flags: FINAL, itt: 78, ttt: RESERVED_TAG, cmdSn: initiator.cmdSn++ });
      const second = await initiator.expect('nopIn');
      expect(second.values.expCmdSn).to.equal(initiator.cmdSn);
      expect(second.data.length).to.equal(0);
    });

    it('numbers its answers', async () => {
      const numbers: number[] = [];
      for (let turn = 0; turn < 3; turn++) {
        initiator.sendCommand(testUnitReady());
        numbers.push((await initiator.expect('scsiResponse')).values.statSn);
      }
      expect(numbers[1] - numbers[0]).to.equal(1);
      expect(numbers[2] - numbers[1]).to.equal(1);
    });

    it('reports residuals', async () => {
      const over = await initiator.run(read10(0, 2), 512);
      expect(over).to.include({ status: 0, residual: 512 });
      expect(over.flags & 0x06).to.equal(0x04);
      expect(over.data.length).to.equal(512);
      const under = await initiator.run(readCapacity10(), 100);
      expect(under).to.include({ status: 0, residual: 92 });
      expect(under.flags & 0x06).to.equal(0x02);
      const unexpected = await initiator.run(read10(0, 1), 0);
      expect(unexpected.residual).to.equal(512);
      expect(unexpected.flags & 0x06).to.equal(0x04);
      const nothing = await initiator.run(testUnitReady(), 512);
      expect(nothing).to.include({ status: 0, residual: 512 });
      expect(nothing.data.length).to.equal(0);
    });

    it('asks for no more Data-Out than a command may have', async () => {
      const itt = initiator.sendCommand(write10(0, 1), { flags: FINAL | WRITE, length: 0xffffffff });
      let asked = 0;
      for (;;) {
        const pdu = await initiator.receive();
        if (pdu?.name !== 'readyToTransfer') break;
        const { values } = pdu as unknown as Received<'readyToTransfer'>;
        asked += values.desiredLength;
        await sendData(itt, Buffer.alloc(values.desiredLength), 65536, values.ttt, values.bufferOffset);
      }
      expect(asked).to.be.at.most(8 * 1024 * 1024);
    });

    it('takes extended CDBs, and refuses additional headers that are none', async () => {
      const cdb = new Uint8Array(16);
      cdb[0] = 0x7f;
      cdb[7] = 0x18;
      // READ(32): service action 9, of one block.
      cdb[9] = 0x09;
      const ahs = new Uint8Array(20);
      ahs.set([0, 17, 1, 0]);
      ahs[4 + 15] = 1;
      const itt = initiator.sendCommand(cdb, { flags: FINAL | READ, length: 512, ahs });
      const { status, data } = await initiator.collect(itt);
      expect(status === 0 ? data.length : status).to.be.oneOf([512, 2]);
      for (const bad of [
        [0, 0, 1, 0],
        [0, 200, 1, 0],
        [0, 5, 2, 0, 0, 0, 2, 0],
        [0, 3, 2, 0, 0, 0, 0, 0],
      ]) {
        initiator.sendCommand(testUnitReady(), { ahs: Uint8Array.from(bad) });
        expect((await initiator.expect('reject')).values.reason).to.equal(rejectReason.invalidPduField);
      }
      expect(await initiator.run(testUnitReady())).to.include({ status: 0 });
    });

    it('runs a command in both directions', async () => {
      const ahs = Uint8Array.of(0, 5, 2, 0, 0, 0, 2, 0);
      const data = Buffer.alloc(512);
      const itt = initiator.sendCommand(read10(0, 1), {
        flags: FINAL | READ | WRITE,
        length: 512,
        data,
        ahs,
      });
      const { values } = await initiator.expect('dataIn');
      expect(values.flags).to.equal(FINAL);
      const response = await initiator.expect('scsiResponse');
      expect(response.values).to.include({ itt, status: 0, bidirectionalResidual: 0 });
    });

    it('refuses a second command with the same tag', async () => {
      fixture.disk.hold = true;
      const itt = initiator.sendCommand(read10(0, 1), { flags: FINAL | READ, length: 512 });
      initiator.sendCommand(testUnitReady(), { itt });
      const reject = await initiator.expect('reject');
      expect(reject.values.reason).to.equal(rejectReason.invalidPduField);
      expect(reject.data.length).to.equal(48);
      fixture.disk.release();
      expect(await initiator.collect(itt)).to.include({ status: 0 });
    });

    it('refuses SNACK, logins and operation codes that there are not', async () => {
      initiator.send('snackRequest', { flags: FINAL });
      expect((await initiator.expect('reject')).values.reason).to.equal(rejectReason.snackReject);
      initiator.sendLogin({});
      expect((await initiator.expect('reject')).values.reason).to.equal(rejectReason.protocolError);
      const unknown = Buffer.alloc(48);
      unknown[0] = 0x1c;
      initiator.socket.write(unknown);
      expect((await initiator.expect('reject')).values.reason).to.equal(rejectReason.commandNotSupported);
    });

    it('refuses too many immediate commands', async () => {
      fixture.disk.hold = true;
      for (let count = 0; count < 128 + 64 + 1; count++) {
        initiator.sendCommand(read10(0, 1), { flags: FINAL | READ, length: 512, immediate: true });
      }
      const { values } = await initiator.expect('reject');
      expect(values.reason).to.equal(rejectReason.immediateCommandReject);
    });
  });

  describe('fails a command', () => {
    const faults: [
      what: string,
      keys: Record<string, string>,
      code: number,
      send: (itt: () => number) => number | Promise<number>,
    ][] = [
      [
        'with immediate data where there is to be none',
        { ImmediateData: 'No' },
        0x0c0c,
        () => initiator.sendCommand(write10(0, 1), { flags: FINAL | WRITE, length: 512, data: pattern(512) }),
      ],
      [
        'with unsolicited data where there is to be none',
        { InitialR2T: 'Yes' },
        0x0c0c,
        () => initiator.sendCommand(write10(0, 1), { flags: WRITE, length: 512 }),
      ],
      [
        'with more immediate data than it announces',
        {},
        0x0c0d,
        () =>
          initiator.sendCommand(write10(0, 1), { flags: FINAL | WRITE, length: 512, data: pattern(1024) }),
      ],
      [
        'with data in a command that reads',
        {},
        0x0c0c,
        () => initiator.sendCommand(read10(0, 1), { flags: FINAL | READ, length: 512, data: pattern(512) }),
      ],
      [
        'whose unsolicited data is more than the first burst',
        { InitialR2T: 'No', FirstBurstLength: '512' },
        0x0c0d,
        async () => {
          const itt = initiator.sendCommand(write10(0, 4), { flags: WRITE, length: 2048 });
          await sendData(itt, pattern(1024), 1024, RESERVED_TAG);
          return itt;
        },
      ],
      [
        'whose unsolicited data is out of order',
        { InitialR2T: 'No' },
        0x4705,
        async () => {
          const itt = initiator.sendCommand(write10(0, 4), { flags: WRITE, length: 2048 });
          await sendData(itt, pattern(1024), 1024, RESERVED_TAG, 1024);
          return itt;
        },
      ],
      [
        'whose solicited data has the wrong number',
        { InitialR2T: 'Yes' },
        0x4705,
        async () => {
          const itt = initiator.sendCommand(write10(0, 1), { flags: FINAL | WRITE, length: 512 });
          const { values } = await initiator.expect('readyToTransfer');
          const { ttt } = values;
          initiator.send('dataOut', { flags: FINAL, itt, ttt, dataSn: 27 }, { data: pattern(512) });
          return itt;
        },
      ],
      [
        'whose solicited data is too short',
        {},
        0x0c0d,
        async () => {
          const itt = initiator.sendCommand(write10(0, 2), { flags: FINAL | WRITE, length: 1024 });
          const { values } = await initiator.expect('readyToTransfer');
          await sendData(itt, pattern(512), 512, values.ttt);
          return itt;
        },
      ],
      [
        'whose solicited data is too long',
        {},
        0x0c0d,
        async () => {
          const itt = initiator.sendCommand(write10(0, 1), { flags: FINAL | WRITE, length: 512 });
          const { values } = await initiator.expect('readyToTransfer');
          await sendData(itt, pattern(1024), 1024, values.ttt);
          return itt;
        },
      ],
      [
        'that is served in another order than it asks',
        { MaxBurstLength: '512', MaxOutstandingR2T: '2' },
        0x4705,
        async () => {
          const itt = initiator.sendCommand(write10(0, 2), { flags: FINAL | WRITE, length: 1024 });
          await initiator.expect('readyToTransfer');
          const { values } = await initiator.expect('readyToTransfer');
          await sendData(itt, pattern(512), 512, values.ttt, values.bufferOffset);
          return itt;
        },
      ],
    ];
    for (const [what, keys, code, send] of faults) {
      it(what, async () => {
        initiator = await fixture.attach(keys);
        const itt = await send(() => initiator.nextItt());
        const { status, sense } = await initiator.collect(itt);
        expect(status).to.equal(2);
        expect(decodeSense(sense)).to.include({ key: 0xb, code });
        expect(fixture.disk.bytes.every((byte) => byte === 0)).to.equal(true);
        // What still comes of it is let pass.
        initiator.send('dataOut', { flags: FINAL, itt, ttt: 4711 }, { data: pattern(512) });
        expect(await initiator.run(testUnitReady())).to.include({ status: 0 });
      });
    }
  });

  for (const [headers, data] of [
    ['CRC32C', 'None'],
    ['None', 'CRC32C'],
    ['CRC32C', 'CRC32C'],
  ]) {
    it(`carries digests: header ${headers}, data ${data}`, async () => {
      initiator = await fixture.attach({ HeaderDigest: headers, DataDigest: data });
      expect(initiator.headerDigest).to.equal(headers === 'CRC32C');
      const written = pattern(1536, 11);
      const itt = initiator.sendCommand(write10(0, 3), { flags: FINAL | WRITE, length: 1536, data: written });
      expect(await initiator.collect(itt)).to.include({ status: 0 });
      expect((await initiator.run(read10(0, 3), 1536)).data).to.deep.equal(written);
      expect((await initiator.run(inquiry(97), 97)).data.length).to.be.below(98);
      expect((await initiator.run(Uint8Array.of(0xff, 0, 0, 0, 0, 0))).status).to.equal(2);
    });
  }

  it('ends after a wrong header digest', async () => {
    initiator = await fixture.attach({ HeaderDigest: 'CRC32C' });
    initiator.socket.write(Buffer.concat([Buffer.of(0x40), Buffer.alloc(51)]));
    await initiator.ended;
    expect(fixture.log.join()).to.contain('header digest');
  });

  it('ends after a wrong data digest, having said why', async () => {
    initiator = await fixture.attach({ DataDigest: 'CRC32C' });
    const pdu = Buffer.alloc(56);
    pdu[0] = 0x40;
    pdu[1] = FINAL;
    pdu[7] = 4;
    initiator.socket.write(pdu);
    expect((await initiator.expect('reject')).values.reason).to.equal(rejectReason.dataDigestError);
    await initiator.ended;
  });

  it('ends where a data segment is longer than was agreed', async () => {
    initiator = await fixture.attach();
    const pdu = Buffer.alloc(48);
    pdu[5] = 0x10;
    initiator.socket.write(pdu);
    await initiator.ended;
    expect(fixture.log.join()).to.contain('data segment of 1048576 bytes');
  });
});
