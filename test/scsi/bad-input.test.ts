import { expect } from 'chai';
import fc from 'fast-check';
import { commandTable } from '../../src/scsi/command-table.js';
import type { Disk } from '../../src/scsi/disk.js';
import { decodeSense } from '../../src/scsi/sense-data.js';
import { TargetPortGroups } from '../../src/scsi/target-port-groups.js';
import { scsiStatus } from '../../src/scsi/status.js';
import { diskWith, TestDisk, ThinDisk } from './support/disk.js';
import { nexus, readyUnit, TestCommand } from './support/unit.js';

const BLOCKS = 256;
const LIMITS = { maxTransferBlocks: 64, maxWriteSameBlocks: 64 };

/** Fails where a verb is called with a range outside the disk, or not in blocks. */
function guarded<Base extends TestDisk>(disk: Base): Base {
  const check = (offset: number, length: number): void => {
    if (offset % 512 === 0 && length % 512 === 0 && length > 0 && offset >= 0 && offset + length <= disk.size)
      return;
    throw new Error(`a verb was called for ${length} bytes at ${offset}`);
  };
  const verbs: Partial<Disk> = {
    read(buffer, offset, context) {
      check(offset, buffer.length);
      return TestDisk.prototype.read.call(disk, buffer, offset, context);
    },
    write(buffer, offset, context) {
      check(offset, buffer.length);
      return TestDisk.prototype.write.call(disk, buffer, offset, context);
    },
    ...(disk instanceof ThinDisk && {
      unmap(offset, length) {
        check(offset, length);
        return Promise.resolve();
      },
    }),
  };
  return diskWith(disk, { ...verbs, flush: () => undefined });
}

const segments = fc
  .array(fc.nat(1100), { maxLength: 3 })
  .map((lengths) => lengths.filter((length) => length > 0).map((length) => new Uint8Array(length)));
const anyBytes = fc.uint8Array({ minLength: 1, maxLength: 260 });
/** As an initiator with a fault makes them: a command of the table, small numbers, then some noise. */
const nearlyValid = fc
  .tuple(
    fc.constantFrom(...commandTable),
    fc.array(fc.constantFrom(0, 0, 0, 0, 1, 2, 8, 0x10, 0xff), { minLength: 15, maxLength: 15 }),
    fc.integer({ min: -2, max: 4 }),
  )
  .map(([{ opcode, serviceAction, usage }, noise, extra]) => {
    const cdb = Uint8Array.of(opcode, ...noise);
    // What is not evaluated stays 0, but for a few.
    usage.forEach((bits, at) => at > 0 && at % 5 !== 0 && (cdb[at] &= bits));
    if (serviceAction !== undefined) cdb[1] = serviceAction;
    return cdb.slice(0, Math.max(1, Math.min(16, usage.length + extra)));
  });
/** The first bytes are what parameter lists are read from. */
const LIST = 40;
const dataOut = fc
  .tuple(
    segments,
    fc.array(fc.constantFrom(0, 0, 0, 1, 4, 8, 0x12, 0xff), { minLength: LIST, maxLength: LIST }),
  )
  .map(([list, noise]) => {
    for (const bytes of list) bytes.set(noise.slice(0, bytes.length));
    return list;
  });

describe('bad input', () => {
  it('of any kind is answered once, within bounds, and never throws', async function () {
    this.timeout(60_000);
    const problems: string[] = [];
    const log = (message: string): void => void problems.push(message);
    const units = [
      readyUnit(guarded(new ThinDisk(BLOCKS)), { ...LIMITS, log }),
      readyUnit(guarded(new TestDisk(BLOCKS)), { ...LIMITS, log }),
      readyUnit(diskWith(guarded(new TestDisk(BLOCKS)), { readOnly: true }), { ...LIMITS, log }),
      readyUnit(diskWith(guarded(new ThinDisk(BLOCKS)), { usage: () => ({ used: 0, available: 0 }) }), {
        ...LIMITS,
        log,
        removable: true,
        portGroups: new TargetPortGroups([{ relativeId: 1, group: 1, name: 'one' }]),
        modeStore: { load: () => undefined, save: () => undefined },
      }),
    ];
    const statuses = new Map<number, number>();
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(anyBytes, nearlyValid),
        dataOut,
        segments,
        fc.boolean(),
        fc.constantFrom(...units),
        async (cdb, out, into, shared, unit) => {
          const command = new TestCommand(cdb, { out, in: shared ? out : into });
          unit.submit(command, nexus);
          const { status, sense, readLength } = await command.completed;
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
          if (status === scsiStatus.checkCondition) {
            expect(sense.length).to.be.within(8, 96);
            expect(decodeSense(sense)!.key).to.be.above(0);
          } else {
            expect([scsiStatus.good, scsiStatus.conditionMet, scsiStatus.reservationConflict]).to.include(
              status,
            );
            expect(readLength ?? 0).to.be.within(0, command.dataIn.byteLength);
          }
          expect(command.completions).to.have.length(1);
          // Stopped by a START STOP UNIT, a unit refuses what the run is about.
          unit.medium.power = 'active';
          unit.medium.load();
          for (const page of unit.modes.pages) page.current.set(page.defaults);
        },
      ),
      { numRuns: 50_000 },
    );
    expect(problems, 'a fault of the handler was blamed').to.deep.equal([]);
    // Both outcomes are common, or the inputs test nothing.
    expect(statuses.get(scsiStatus.good)).to.be.above(2000);
    expect(statuses.get(scsiStatus.checkCondition)).to.be.above(20_000);
  });
});
