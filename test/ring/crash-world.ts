import { expect } from 'chai';
import { CommandRing } from '../../src/ring/command-ring.js';
import type { RingListener } from '../../src/ring/ring-listener.js';
import { Journal } from '../../src/ring/journal.js';
import type { RingCommand } from '../../src/ring/ring-command.js';
import type { RecoveryOutcome } from '../../src/ring/resumption.js';
import { CrashingJournalMemory, CrashingRegion, CrashPoint } from '../../src/testing/crash-point.js';
import { EmulatedKernel, type EmulatedKernelOptions } from '../../src/testing/emulated-kernel.js';
import type { PendingCommand } from '../../src/testing/pending-command.js';
import type { TransportResponse } from '../../src/testing/transport.js';
import { turn } from './support.js';

/** What a command does; `once` must not run twice. */
export type Kind = 'read' | 'write' | 'short' | 'fail' | 'none' | 'once';

const opcode: Record<Kind, number> = {
  read: 0x28,
  write: 0x2a,
  short: 0x3c,
  fail: 0x2f,
  none: 0x35,
  once: 0x89,
};
const BLOCK = 512;
const ABORTED = 0x0b;
const SAVED_BYTES = 16 * 1024;

/** A CDB of 10 bytes; bytes 2 and 3 number the command, byte 4 has its length in blocks. */
function cdbOf(kind: Kind, number: number, blocks: number): Uint8Array {
  const bytes = new Uint8Array(kind === 'once' ? 16 : 10);
  bytes.set([opcode[kind], 0, number >> 8, number, blocks]);
  return bytes;
}

const numberOf = (cdb: Uint8Array): number => (cdb[2] << 8) | cdb[3];
const pattern = (number: number, length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (number * 31 + (index >> 3)) & 0xff);
const senseOf = (number: number): Uint8Array =>
  Uint8Array.of(0x70, 0, 3, number >> 8, number, 0, 0, 10, 0, 0, 0, 0, 0x11, 0, 0, 0, 0, 0);

interface Sent {
  readonly kind: Kind;
  readonly blocks: number;
  readonly pending: PendingCommand;
  /** How often its effect took place. */
  runs: number;
  response?: TransportResponse;
}

/** A device under load, whose consumers die at set places, one after the other. */
export class CrashWorld {
  readonly kernel: EmulatedKernel;
  readonly sent: Sent[] = [];
  readonly outcomes: RecoveryOutcome[] = [];
  /** Blocks stored by writes, by the command's number. */
  readonly stored = new Map<number, Uint8Array>();
  readonly aborted: number[] = [];
  readonly broken: string[] = [];
  resets = 0;
  crash = new CrashPoint();
  /** Commands that the consumer holds, by number. */
  held = new Map<number, RingCommand>();
  /** Asked about each command as it comes: answered at once where it says so. */
  atOnce: (number: number) => boolean = () => false;
  readonly #journal: ArrayBuffer;
  readonly #savedBytes: number;
  readonly #ringSize: number;
  #region: CrashingRegion;
  #served = false;

  constructor(options: EmulatedKernelOptions = {}, savedBytes = SAVED_BYTES) {
    this.#ringSize = options.ringSize ?? 4096;
    this.#savedBytes = savedBytes;
    this.kernel = new EmulatedKernel({
      ringSize: this.#ringSize,
      blockSize: BLOCK,
      dataBlocks: 64,
      fragmented: true,
      commandTimeout: 0,
      ...options,
    });
    this.#journal = new ArrayBuffer(Journal.bytesFor(this.#ringSize, savedBytes));
    this.#region = new CrashingRegion(this.kernel.region, this.crash);
  }

  /** Start a consumer that dies after so many stores. */
  serve(stores = Infinity): void {
    this.crash = new CrashPoint(stores);
    const region = this.#served ? this.kernel.reopen() : this.kernel.region;
    this.#served = true;
    this.#region = new CrashingRegion(region, this.crash);
    const { crash } = this;
    const held = (this.held = new Map<number, RingCommand>());
    const listener: RingListener = {
      onCommand: (command) => {
        if (crash.dead) return;
        const number = numberOf(command.cdb);
        expect(held.has(number), `command ${number} comes twice`).to.equal(false);
        held.set(number, command);
        if (this.atOnce(number)) this.answer(number);
      },
      onInterrupted: (command) => {
        if (!crash.dead) command.complete(2, Uint8Array.of(0x70, 0, ABORTED, 0, 0, 0, 0, 10));
      },
      onTaskManagement: (_type, ids) => {
        if (!crash.dead) this.aborted.push(...ids);
      },
      onBroken: (error) => {
        if (!crash.dead) this.broken.push(error.message);
      },
      onRecovery: (outcome) => {
        if (!crash.dead) this.outcomes.push(outcome);
      },
    };
    const memory = new CrashingJournalMemory(this.#journal, crash);
    const journal = new Journal(memory, this.#ringSize, 'the ring of this test', this.#savedBytes);
    const ring = new CommandRing(this.#region, listener, {
      journal,
      isIdempotent: (cdb) => cdb[0] !== opcode.once,
      resetRing: () => {
        if (crash.dead) return;
        this.resets++;
        this.kernel.resetRing(1);
      },
    });
    ring.start();
  }

  /** The consumer is gone, as far as the kernel can see. */
  bury(): void {
    this.crash.die();
    this.#region.close();
  }

  send(kind: Kind, blocks = kind === 'none' || kind === 'fail' ? 0 : 1): number {
    const number = this.sent.length;
    const length = blocks * BLOCK;
    const writes = kind === 'write' || kind === 'once';
    const pending = this.kernel.queue({
      cdb: cdbOf(kind, number, blocks),
      ...(writes ? { dataOut: pattern(number, length) } : { dataInLength: length }),
    });
    const sent: Sent = { kind, blocks, pending, runs: 0 };
    this.sent.push(sent);
    void pending.done.then((response) => {
      expect(sent.response, `command ${number} is answered twice`).to.equal(undefined);
      sent.response = response;
    });
    return number;
  }

  /** Run a command that the consumer holds, and answer it. */
  answer(number: number): void {
    const command = this.held.get(number);
    if (!command || this.crash.dead) return;
    this.held.delete(number);
    const sent = this.sent[number];
    const { kind } = sent;
    // What happens to the disk is a step as well.
    if (!this.crash.step()) return;
    sent.runs++;
    const data = pattern(number, sent.blocks * BLOCK);
    const { segments, byteLength } = command.dataIn;
    expect(byteLength).to.equal(data.length);
    if (kind === 'write' || kind === 'once') this.stored.set(number, Buffer.concat(segments));
    else {
      let at = 0;
      for (const segment of segments) {
        segment.set(data.subarray(at, at + segment.length));
        at += segment.length;
      }
    }
    if (kind === 'fail') command.complete(2, senseOf(number));
    else if (kind === 'short') command.complete(0, undefined, 100 + number);
    else command.complete(0);
  }

  /** Let wake-ups and publications happen. */
  async settle(): Promise<void> {
    for (let count = 0; count < 3; count++) await turn();
  }

  /** Serve without a crash until everything is answered, the newest command first. */
  async finish(): Promise<void> {
    for (let rounds = 0; this.sent.some(({ response }) => !response) && rounds < 100; rounds++) {
      await this.settle();
      for (const number of [...this.held.keys()].sort((a, b) => b - a)) this.answer(number);
      await this.settle();
    }
  }

  /** Everything was answered, once, with the right data. @param mayBeBusy where the ring was reset */
  check(mayBeBusy = false): void {
    expect(this.broken).to.deep.equal([]);
    expect(this.kernel.broken, 'the ring is broken').to.equal(false);
    this.sent.forEach(({ kind, blocks, response, runs, pending }, number) => {
      const what = `command ${number}, ${kind}`;
      if (!response) throw new Error(`${what}: no answer`);
      if ((mayBeBusy && response.status === 8) || pending.aborted) return;
      const data = pattern(number, blocks * BLOCK);
      if (kind === 'once') {
        expect(runs, what).to.be.at.most(1);
        if (response.status === 2) expect(response.sense[2], what).to.equal(ABORTED);
        else expect([response.status, runs], what).to.deep.equal([0, 1]);
      } else if (kind === 'fail') {
        expect(response.status, what).to.equal(2);
        expect([...response.sense.subarray(0, 18)], what).to.deep.equal([...senseOf(number)]);
      } else {
        expect(response.status, what).to.equal(0);
        const expected = kind === 'short' ? data.subarray(0, 100 + number) : data;
        if (kind !== 'write') expect(Buffer.compare(response.dataIn, expected), what).to.equal(0);
      }
      if (kind === 'write') expect(Buffer.compare(this.stored.get(number)!, data), what).to.equal(0);
    });
    expect([this.kernel.unfinished, this.kernel.queued, this.kernel.entriesOnRing]).to.deep.equal([0, 0, 0]);
    expect(this.kernel.freeDataBlocks).to.equal(64);
  }
}
