import { commandTable } from '../../src/scsi/command-table.js';
import type { DataBuffer, MutableCommandContext, Nexus, ScsiCommand } from '../../src/scsi/command.js';
import type { Disk } from '../../src/scsi/disk.js';
import { LogicalUnit } from '../../src/scsi/logical-unit.js';

/*
 * Random CDBs with random data at a logical unit. Without fast-check: at 10^8 commands its bookkeeping would be
 * what is measured. The seed makes a run repeatable.
 */

const MAX_CDB = 260;
const MAX_DATA = 64 * 1024;
/** Commands sent before those that go on are waited for. */
const BATCH = 256;

/** xorshift32: enough to reach every field, and quick. */
function random(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** A thin disk of 1 MiB whose verbs now and then answer later, or fail. */
function disk(pick: (below: number) => number): Disk {
  const bytes = new Uint8Array(1024 * 1024);
  const done = (action: () => void): void | Promise<void> => {
    const fate = pick(64);
    if (fate === 0) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
    if (fate === 1) return Promise.reject(Object.assign(new Error('i/o'), { code: 'EIO' }));
    if (fate < 8) return Promise.resolve().then(action);
    action();
  };
  const check = (offset: number, length: number): void => {
    if (offset < 0 || length < 0 || offset + length > bytes.length || (offset | length) % 512 !== 0) {
      throw new Error(`a verb was asked for ${length} bytes at ${offset}`);
    }
  };
  return {
    size: bytes.length,
    read: (buffer, offset) => {
      check(offset, buffer.length);
      return done(() => buffer.set(bytes.subarray(offset, offset + buffer.length)));
    },
    write: (buffer, offset) => {
      check(offset, buffer.length);
      return done(() => bytes.set(buffer, offset));
    },
    flush: () => done(() => undefined),
    unmap: (offset, length) => {
      check(offset, length);
      return done(() => bytes.fill(0, offset, offset + length));
    },
  };
}

/** A command that counts its answers. */
class CountingCommand implements ScsiCommand {
  readonly cdb = new Uint8Array(MAX_CDB);
  cdbLength = 0;
  dataOut: DataBuffer = { segments: [], byteLength: 0 };
  dataIn: DataBuffer = { segments: [], byteLength: 0 };
  context: MutableCommandContext = { fua: false, dpo: false, signal: new AbortController().signal };
  answers = 0;

  complete(): void {
    this.answers++;
  }
}

export interface FuzzResult {
  commands: number;
  /** Commands that were answered other than once: there must be none. */
  wrong: number;
  seconds: number;
}

function fill(bytes: Uint8Array, length: number, pick: (below: number) => number): void {
  for (let index = 0; index < length; index++) bytes[index] = pick(256);
}

/** A CDB: half the time of a known operation code, with small fields that make sense more often. */
function nextCdb(command: CountingCommand, pick: (below: number) => number): void {
  const { cdb } = command;
  command.cdbLength = 1 + pick(pick(4) === 0 ? MAX_CDB : 32);
  fill(cdb, command.cdbLength, pick);
  if (pick(2) === 0) return;
  const { opcode, serviceAction, usage } = commandTable[pick(commandTable.length)];
  cdb[0] = opcode;
  if (pick(8) !== 0) command.cdbLength = usage.length;
  if (serviceAction !== undefined && opcode !== 0x7f) cdb[1] = (cdb[1] & 0xe0) | serviceAction;
  if (opcode === 0x7f) {
    cdb[7] = usage.length - 8;
    cdb[8] = (serviceAction ?? 0) >> 8;
    cdb[9] = serviceAction ?? 0;
  }
  if (pick(2) === 0)
    for (let at = 1; at < usage.length; at++) cdb[at] &= pick(4) === 0 ? 0xff : usage[at] & 0x0f;
}

/**
 * Send `count` commands. Never throws where the logical unit keeps its promise: each is answered once.
 * @param progress told now and then how many are done
 */
export async function fuzzCdbs(
  count: number,
  seed: number,
  progress: (done: number) => void = () => undefined,
): Promise<FuzzResult> {
  const pick = random(seed);
  const started = performance.now();
  const nexuses: Nexus[] = [{ name: 'a' }, { name: 'b' }, { name: 'c' }];
  const data = new Uint8Array(MAX_DATA);
  fill(data, data.length, pick);
  const pool = Array.from({ length: BATCH }, () => new CountingCommand());
  let unit = new LogicalUnit(disk(pick));
  let wrong = 0;
  for (let sent = 0; sent < count; sent += BATCH) {
    // A unit that was sanitized, reserved or ejected would answer everything alike.
    if (pick(16) === 0) {
      await unit.close();
      unit = new LogicalUnit(disk(pick), { removable: pick(2) === 0, log: () => undefined });
    }
    for (const command of pool) {
      nextCdb(command, pick);
      const segment = data.subarray(0, pick(4) === 0 ? pick(MAX_DATA) : pick(8) * 512);
      const buffer = { segments: segment.length > 0 ? [segment] : [], byteLength: segment.length };
      command.dataOut = command.dataIn = buffer;
      command.answers = 0;
      unit.submit(command, nexuses[pick(nexuses.length)]);
    }
    for (let turn = 0; turn < 1000 && pool.some(({ answers }) => answers === 0); turn++) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const command of pool) if (command.answers !== 1) wrong++;
    progress(sent + BATCH);
  }
  await unit.close();
  return { commands: Math.ceil(count / BATCH) * BATCH, wrong, seconds: (performance.now() - started) / 1000 };
}
