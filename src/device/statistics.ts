// HOT PATH: started() and completed() run for every command; neither allocates. The clock is read for one in sixteen.
import { threadClock } from '../ring/clock.js';
import { commandTable } from '../scsi/command-table.js';
import { opcode } from '../scsi/opcode.js';
import { additionalSense, senseKey } from '../scsi/sense.js';
import { scsiStatus } from '../scsi/status.js';

/** What is noted of a command; the ring's commands have it. */
export interface CountedCommand {
  readonly cdb: Uint8Array;
  /** Bytes the command transferred, set by the logical unit where it knows. */
  readonly transferLength: number | undefined;
  /** The thread's clock at its start, in milliseconds; NaN where nobody asked for its latency. */
  startedAt: number;
}

/** Counters of one device since it was opened. Unlike those of LOG SENSE no initiator can reset them. */
export interface DeviceCounters {
  /** Commands answered. */
  readonly commands: number;
  readonly reads: number;
  readonly writes: number;
  /** UNMAP commands. */
  readonly unmaps: number;
  /** Bytes of the reads that ended GOOD. */
  readonly readBytes: number;
  readonly writtenBytes: number;
  /** Commands whose status was neither GOOD nor CONDITION MET. */
  readonly errors: number;
  /** CHECK CONDITION by sense key (SPC-4 table 48): 16 counts. */
  readonly senseKeys: readonly number[];
  /** Failures that were the handler's own fault: neither a SenseError nor an errno (04h/44h/00h). */
  readonly handlerErrors: number;
  /** Commands that outlived their budget. */
  readonly timeouts: number;
  readonly latency: LatencyHistogram;
}

/** Time from the ring to the answer, of about one command in sixteen. */
export interface LatencyHistogram {
  /** Commands measured. */
  readonly samples: number;
  /** Sum of the latencies in microseconds. */
  readonly total: number;
  /** buckets[0] counts latencies below 1 µs, buckets[i] those from 2^(i-1) to below 2^i µs; 32 counts. */
  readonly buckets: readonly number[];
}

const counter = {
  commands: 0,
  reads: 1,
  writes: 2,
  unmaps: 3,
  readBytes: 4,
  writtenBytes: 5,
  errors: 6,
  handlerErrors: 7,
  timeouts: 8,
  samples: 9,
  microseconds: 10,
} as const;

const BUCKETS = 32;
const kind = { other: 0, read: 1, write: 2, unmap: 3 } as const;

/** Kinds by operation code, and after those 256 by the low byte of the service action of variable length CDBs. */
const kinds = new Uint8Array(512);
for (const { opcode: code, serviceAction, activity, address, direction } of commandTable) {
  if (code === opcode.unmap) kinds[code] = kind.unmap;
  // VERIFY has Data-Out and writes nothing; what shares its operation code with others is no plain read or write.
  if (address === undefined || direction === 'none') continue;
  if (serviceAction !== undefined && code !== opcode.variableLength) continue;
  const index = serviceAction === undefined ? code : 256 + (serviceAction & 0xff);
  if (activity === 'write') kinds[index] = kind.write;
  else if (direction === 'in') kinds[index] = kind.read;
}

/** Counts what a device does, and measures the latency of a sample of its commands. */
export class DeviceStatistics {
  /** Measure every command: somebody looks at each. */
  measureAll = false;
  /** Of the command that completed() was told of last, in microseconds; NaN where it was not measured. */
  lastLatency = Number.NaN;
  readonly #clock = threadClock();
  readonly #counters = new Float64Array(Object.keys(counter).length);
  readonly #senseKeys = new Float64Array(16);
  readonly #buckets = new Float64Array(BUCKETS);
  #untilSample = 1;
  #random = 1;

  /** A command was taken off the ring. */
  started(command: CountedCommand): void {
    if (--this.#untilSample > 0 && !this.measureAll) {
      command.startedAt = Number.NaN;
      return;
    }
    if (this.#untilSample <= 0) {
      // 8 to 23, at random: a fixed distance would always meet the same command of a batch.
      this.#random = (Math.imul(this.#random, 1103515245) + 12345) | 0;
      this.#untilSample = 8 + ((this.#random >>> 16) & 15);
    }
    this.#clock.read();
    command.startedAt = this.#clock.time[0];
  }

  /** A command is answered. `lastLatency` is its latency then. */
  completed(command: CountedCommand, status: number, sense: Uint8Array | undefined): void {
    const counters = this.#counters;
    counters[counter.commands]++;
    const { cdb } = command;
    const what = kinds[cdb[0] === opcode.variableLength ? 256 + cdb[9] : cdb[0]];
    const good = status === scsiStatus.good || status === scsiStatus.conditionMet;
    if (what === kind.read) {
      counters[counter.reads]++;
      if (good) counters[counter.readBytes] += command.transferLength ?? 0;
    } else if (what === kind.write) {
      counters[counter.writes]++;
      if (good) counters[counter.writtenBytes] += command.transferLength ?? 0;
    } else if (what === kind.unmap) counters[counter.unmaps]++;
    if (!good) this.#failed(sense);
    this.lastLatency = Number.NaN;
    if (Number.isNaN(command.startedAt)) return;
    this.#clock.read();
    const microseconds = (this.#clock.time[0] - command.startedAt) * 1000;
    this.lastLatency = microseconds;
    counters[counter.samples]++;
    counters[counter.microseconds] += microseconds;
    this.#buckets[Math.min(BUCKETS - 1, 32 - Math.clz32(microseconds))]++;
  }

  /** A command outlived its budget. */
  timedOut(): void {
    this.#counters[counter.timeouts]++;
  }

  #failed(sense: Uint8Array | undefined): void {
    this.#counters[counter.errors]++;
    if (sense === undefined || sense.length < 4) return;
    // Response codes 72h and 73h are the descriptor format (SPC-4 4.5.2).
    const descriptors = (sense[0] & 0x7e) === 0x72;
    const key = (descriptors ? sense[1] : sense[2]) & 0x0f;
    this.#senseKeys[key]++;
    if (key !== senseKey.hardwareError) return;
    const code = descriptors ? (sense[2] << 8) | sense[3] : (sense[12] << 8) | sense[13];
    if (code === additionalSense.internalTargetFailure) this.#counters[counter.handlerErrors]++;
  }

  /** The counters as they are now. */
  snapshot(): DeviceCounters {
    const counters = this.#counters;
    return {
      commands: counters[counter.commands],
      reads: counters[counter.reads],
      writes: counters[counter.writes],
      unmaps: counters[counter.unmaps],
      readBytes: counters[counter.readBytes],
      writtenBytes: counters[counter.writtenBytes],
      errors: counters[counter.errors],
      senseKeys: Array.from(this.#senseKeys),
      handlerErrors: counters[counter.handlerErrors],
      timeouts: counters[counter.timeouts],
      latency: {
        samples: counters[counter.samples],
        total: Math.round(counters[counter.microseconds]),
        buckets: Array.from(this.#buckets),
      },
    };
  }
}
