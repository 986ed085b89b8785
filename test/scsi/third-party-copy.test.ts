import { expect } from 'chai';
import fc from 'fast-check';
import * as cdb from '../../src/scsi/cdb.js';
import { tokenLimits } from '../../src/scsi/copy-limits.js';
import { CopyManager, designatorsOf } from '../../src/scsi/copy-manager.js';
import { zeroToken } from '../../src/scsi/copy-token.js';
import type { LogicalUnit } from '../../src/scsi/logical-unit.js';
import {
  extendedCopy,
  populate,
  targetsOf,
  tokenInformation,
  tokenOf,
  unitsOf,
  writeToken,
} from './support/copy.js';
import { CapableDisk, diskWith, TestDisk, ThinDisk } from './support/disk.js';
import { cut, Deferred, good, readyUnit, senseOf, submit, TestCommand } from './support/unit.js';

const free = [{ lba: 1000, blocks: 4 }];

/** Whether a token can still be used: `valid`, or the sense data. */
async function stateOf(unit: LogicalUnit, token: Uint8Array): Promise<string> {
  const response = await writeToken(unit, 99, { token, ranges: free });
  return response.status === 0 ? 'valid' : senseOf(response);
}

describe('A ROD token', () => {
  const block = new Uint8Array(512).fill(1);
  const unmapping = (lba: number) =>
    cdb.unmapParameters([
      { lba: 900, blocks: 1 },
      { lba, blocks: 2 },
    ]);
  /** Commands that write at an LBA. */
  const writers: [string, (lba: number) => [Uint8Array, Uint8Array?]][] = [
    ['WRITE(6)', (lba) => [cdb.write6(lba, 1), block]],
    ['WRITE(10)', (lba) => [cdb.write10(lba, 1), block]],
    ['WRITE(16)', (lba) => [cdb.write16(lba, 1), block]],
    ['WRITE SAME(16)', (lba) => [cdb.writeSame16(lba, 1), block]],
    ['WRITE SAME(10) that unmaps', (lba) => [cdb.writeSame10(lba, 1, { unmap: true }), new Uint8Array(512)]],
    ['UNMAP', (lba) => [cdb.unmap(unmapping(lba).length), unmapping(lba)]],
  ];
  for (const [name, make] of writers) {
    it(`is revoked by ${name} to what it stands for, and by no other`, async () => {
      const [unit] = unitsOf([new ThinDisk()]);
      const token = await tokenOf(unit, { lba: 20, blocks: 2 }, { lba: 100, blocks: 5 });
      for (const lba of [10, 19 - 1, 22, 105]) {
        await good(unit, ...make(lba));
        expect(await stateOf(unit, token), `after LBA ${lba}`).to.equal('valid');
      }
      await good(unit, ...make(104));
      expect(await stateOf(unit, token)).to.equal('5/23/06');
      expect(unit.copy.idle).to.equal(true);
    });
  }

  it('is revoked by each command of the table that writes, by its range where it names one', async () => {
    const [unit] = unitsOf([new CapableDisk()]);
    const writing = unit.commands.definitions.filter(
      ({ activity, name }) => activity === 'write' && !/^(SYNCHRONIZE|START|UNMAP)/.test(name),
    );
    expect(writing).to.have.length.above(15);
    for (const definition of writing) {
      const { name, opcode, serviceAction, usage, address } = definition;
      for (const lba of address ? [18, 22, 20] : [20]) {
        const token = await tokenOf(unit, { lba: 20, blocks: 2 });
        const cdbBytes = Uint8Array.of(opcode, ...new Array<number>(usage.length - 1).fill(0));
        if (opcode === 0x7f) cdbBytes[9] = serviceAction!;
        else cdbBytes[1] = serviceAction ?? 0;
        address?.encode(cdbBytes, lba, 2);
        unit.copy.commandStarts(new TestCommand(cdbBytes), definition);
        expect(await stateOf(unit, token), `${name} at ${lba}`).to.equal(lba === 20 ? '5/23/06' : 'valid');
      }
    }
  });

  it('is revoked by a copy to what it stands for', async () => {
    const [unit, other] = unitsOf([new TestDisk(), new TestDisk()]);
    const ranges = [{ lba: 20, blocks: 2 }];
    let token = await tokenOf(unit, ...ranges);
    const segment = { source: 0, destination: 1, blocks: 5, sourceLba: 0, destinationLba: 10 };
    const targets = targetsOf(other, unit);
    await extendedCopy(other, { targets, segments: [segment] });
    expect(await stateOf(other, token)).to.equal('valid');
    await extendedCopy(other, { targets, segments: [{ ...segment, destinationLba: 17 }] });
    expect(await stateOf(other, token)).to.equal('5/23/06');
    token = await tokenOf(unit, ...ranges);
    await writeToken(unit, 5, { token: zeroToken(), ranges: [{ lba: 21, blocks: 1 }] });
    expect(await stateOf(other, token)).to.equal('5/23/06');
  });

  it('outlives reads, flushes and commands that only look', async () => {
    const [unit] = unitsOf([new TestDisk()]);
    const token = await tokenOf(unit, { lba: 20, blocks: 2 });
    await good(unit, cdb.read16(20, 2));
    await good(unit, cdb.synchronizeCache10());
    await good(unit, cdb.inquiry(96));
    expect(await stateOf(unit, token)).to.equal('valid');
  });

  it("is revoked by what nobody knows the extent of: the handler's own commands, an UNMAP in pieces", async () => {
    const vendorCommands = [
      { opcode: 0xc0, name: 'PUT', usage: [0xc0, 0, 0, 0, 0, 0], direction: 'none' },
      { opcode: 0xc1, name: 'GET', usage: [0xc1, 0, 0, 0, 0, 0], direction: 'in' },
    ] as const;
    const [unit] = unitsOf([diskWith(new ThinDisk(), { vendorCommands, command: () => 0 })]);
    let token = await tokenOf(unit, { lba: 20, blocks: 2 });
    await good(unit, [0xc1, 0, 0, 0, 0, 0]);
    expect(await stateOf(unit, token)).to.equal('valid');
    await good(unit, [0xc0, 0, 0, 0, 0, 0]);
    expect(await stateOf(unit, token)).to.equal('5/23/06');
    token = await tokenOf(unit, { lba: 20, blocks: 2 });
    const list = cdb.unmapParameters([{ lba: 500, blocks: 1 }]);
    const command = new TestCommand(cdb.unmap(list.length), { out: cut(list, [8, 16]) });
    expect((await submit(unit, command)).status).to.equal(0);
    expect(await stateOf(unit, token)).to.equal('5/23/06');
  });

  it('that is changed while it is being used ends the command that uses it', async () => {
    const [started, go] = [new Deferred(), new Deferred()];
    const slow = diskWith(new TestDisk(), {
      async read(buffer: Uint8Array) {
        started.resolve();
        await go.promise;
        buffer.fill(1);
      },
    });
    const to = new TestDisk();
    const units = unitsOf([slow, to]);
    const token = await tokenOf(units[0], { lba: 20, blocks: 2 });
    const response = writeToken(units[1], 1, { token, ranges: free });
    await started.promise;
    await good(units[0], cdb.write10(21, 1), block);
    go.resolve();
    expect(senseOf(await response)).to.equal('5/23/06');
    expect(to.calls).to.deep.equal([]);
  });

  it('makes room for others when there are too many, the expired first', async () => {
    let now = 0;
    const [unit] = unitsOf([new TestDisk()], { now: () => now });
    const first = await tokenOf(unit, { lba: 1, blocks: 1 });
    await populate(unit, 1, { ranges: [{ lba: 2, blocks: 1 }], inactivityTimeout: 1 });
    const { token: second } = await tokenInformation(unit, 1);
    for (let made = 2; made < tokenLimits.remembered; made++) await tokenOf(unit, { lba: 1, blocks: 1 });
    now = 2000;
    expect(await stateOf(unit, second!)).to.equal('5/23/07');
    await tokenOf(unit, { lba: 1, blocks: 1 });
    expect(await stateOf(unit, second!)).to.equal('5/23/04');
    expect(await stateOf(unit, first)).to.equal('valid');
    await tokenOf(unit, { lba: 1, blocks: 1 });
    expect(await stateOf(unit, first)).to.equal('5/23/04');
  });

  it('costs writes nothing when it has expired', async () => {
    let now = 0;
    const [unit] = unitsOf([new TestDisk()], { now: () => now });
    await tokenOf(unit, { lba: 1, blocks: 1 });
    expect(unit.copy.idle).to.equal(false);
    now = tokenLimits.defaultTimeout * 1000;
    await good(unit, cdb.write10(500, 1), block);
    expect(unit.copy.idle).to.equal(true);
  });
});

describe('Parameter lists with any bytes changed', () => {
  it('are answered once, and never with a fault of the unit', async () => {
    const [unit] = unitsOf([new TestDisk(256)]);
    const token = await tokenOf(unit, { lba: 0, blocks: 16 });
    const segment = { source: 0, destination: 0, sourceLba: 3, destinationLba: 100 };
    const lists: [number, Uint8Array][] = [
      [
        0x00,
        cdb.extendedCopyParameters({
          targets: targetsOf(unit),
          segments: [
            { ...segment, blocks: 8 },
            { ...segment, bytes: 1000, sourceByte: 24 },
          ],
        }),
      ],
      [0x10, cdb.populateTokenParameters({ ranges: free, inactivityTimeout: 5 })],
      [0x11, cdb.writeUsingTokenParameters({ token, ranges: [{ lba: 20, blocks: 16 }], offset: 1 })],
      [0x11, cdb.writeUsingTokenParameters({ token: zeroToken(), ranges: [{ lba: 20, blocks: 16 }] })],
    ];
    const changes = fc.array(fc.tuple(fc.nat(700), fc.nat(255)), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...lists),
        changes,
        fc.nat(2000),
        async ([action, list], some, extra) => {
          const sent = new Uint8Array(list.length + (extra > 1900 ? extra : 0));
          sent.set(list);
          for (const [at, value] of some) sent[at % list.length] = value;
          const length = extra < 100 ? extra : sent.length;
          const command = new TestCommand(
            Uint8Array.of(0x83, action, 0, 0, 0, extra & 7, 0, 0, 0, 0, 0, 0, length >> 8, length, 0, 0),
            { out: cut(sent, [length >> 1, sent.length]) },
          );
          const { status } = await submit(unit, command);
          expect(status).to.be.oneOf([0, 2]);
          await unit.copy.settled();
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('A copy', () => {
  it('lets others have their turn between its pieces', async () => {
    let pauses = 0;
    const unit = readyUnit(new TestDisk(16_384), { pause: () => void pauses++ });
    const segments = [{ source: 0, destination: 0, blocks: 6144, sourceLba: 0, destinationLba: 8192 }];
    expect((await extendedCopy(unit, { targets: targetsOf(unit), segments })).status).to.equal(0);
    expect(pauses).to.equal(3);
    await writeToken(unit, 1, { token: zeroToken(), ranges: [{ lba: 0, blocks: 4096 }] });
    expect(pauses).to.equal(5);
  });
});

describe('CopyManager', () => {
  it('finds units by each of their designators, and by what they are called now', () => {
    const copyManager = new CopyManager();
    let serial = '1';
    const first = readyUnit(new TestDisk(), { serial: () => serial, copyManager });
    const second = readyUnit(new TestDisk(), { serial: '2', copyManager });
    for (const unit of [first, second]) {
      const designators = designatorsOf(unit);
      expect(designators).to.have.length.of.at.least(2);
      for (const designator of designators) {
        expect(copyManager.find(designator, first)).to.equal(unit);
        expect(copyManager.find({ ...designator, type: designator.type ^ 1 }, first)).to.equal(undefined);
      }
    }
    const [old] = designatorsOf(first);
    serial = '3';
    expect(copyManager.find(old, second)).to.equal(undefined);
    expect(copyManager.find(designatorsOf(first)[0], second)).to.equal(first);
  });

  it('takes the unit that was asked where two have the same name', () => {
    const copyManager = new CopyManager();
    const twins = [0, 1].map(() => readyUnit(new TestDisk(), { serial: 'twin', copyManager }));
    for (const unit of twins) expect(copyManager.find(designatorsOf(unit)[0], unit)).to.equal(unit);
  });
});

describe('Closing a unit', () => {
  it('takes it and its tokens away from the others', async () => {
    const units = unitsOf([new TestDisk(), new TestDisk()]);
    const token = await tokenOf(units[0], { lba: 1, blocks: 1 });
    const targets = targetsOf(...units);
    await units[0].close();
    expect(await stateOf(units[1], token)).to.equal('5/23/04');
    const segments = [{ source: 0, destination: 1, blocks: 1, sourceLba: 0, destinationLba: 0 }];
    expect(senseOf(await extendedCopy(units[1], { targets, segments }))).to.equal('a/0d/02');
  });

  it("ends another unit's copy that uses it, and waits for that", async () => {
    const [started, go] = [new Deferred(), new Deferred()];
    let reading = 0;
    const slow = diskWith(new TestDisk(8192), {
      async read() {
        reading++;
        started.resolve();
        await go.promise;
        reading--;
      },
    });
    const units = unitsOf([slow, new TestDisk(8192)]);
    const segments = [{ source: 0, destination: 1, blocks: 8000, sourceLba: 0, destinationLba: 0 }];
    const copied = extendedCopy(units[1], { targets: targetsOf(...units), segments });
    await started.promise;
    const closed = units[0].close().then(() => expect(reading).to.equal(0));
    go.resolve();
    await closed;
    expect(senseOf(await copied)).to.equal('a/0d/02');
  });

  for (const end of ['close', 'reset'] as const) {
    it(`ends what the unit does in the background, by ${end}()`, async () => {
      const [started, go] = [new Deferred(), new Deferred()];
      let writes = 0;
      const slow = diskWith(new TestDisk(8192), {
        async write() {
          writes++;
          started.resolve();
          await go.promise;
        },
      });
      const [unit] = unitsOf([slow]);
      const ranges = [{ lba: 0, blocks: 8000 }];
      await writeToken(unit, 1, { token: zeroToken(), ranges, immediate: true });
      await started.promise;
      const ended = unit[end]();
      go.resolve();
      await ended;
      await unit.copy.settled();
      expect(writes).to.equal(1);
    });
  }
});

describe('The third-party copy VPD page', () => {
  it('names the commands the unit has, and is announced', async () => {
    const [unit] = unitsOf([new TestDisk()]);
    expect((await good(unit, cdb.inquiry(96)))[5] & 0x08).to.equal(0x08);
    expect([...(await good(unit, cdb.inquiry(255, 0)))]).to.include(0x8f);
    const page = await good(unit, cdb.inquiry(4096, 0x8f));
    const view = new DataView(page.buffer, page.byteOffset);
    expect(view.getUint16(2)).to.equal(page.length - 4);
    const descriptors = new Map<number, Uint8Array>();
    for (let at = 4; at < page.length; at += 4 + view.getUint16(at + 2)) {
      descriptors.set(view.getUint16(at), page.slice(at + 4, at + 4 + view.getUint16(at + 2)));
    }
    expect([...descriptors.keys()]).to.deep.equal([0, 1, 4, 8, 0x0c, 0x106, 0x108, 0x8001]);
    for (const { length } of descriptors.values()) expect(length % 4).to.equal(0);
    const commands = [...descriptors.get(1)!];
    expect(commands.slice(0, 14)).to.deep.equal([13, 0x83, 3, 0, 0x10, 0x11, 0x84, 6, 0, 1, 3, 4, 5, 7]);
    const limits = descriptors.get(0)!;
    expect(new DataView(limits.buffer).getBigUint64(16)).to.equal(BigInt(tokenLimits.bytes / 512));
  });
});
