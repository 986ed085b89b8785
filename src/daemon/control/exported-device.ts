// HOT PATH: started() and completed() run for every command and allocate nothing.
import { CommandTrace, type TraceableCommand, type TraceListener } from '../../device/command-trace.js';
import { DeviceStatistics } from '../../device/statistics.js';
import type { Disk } from '../../handlers/contract.js';
import type { CommandObserver } from '../../iscsi/command-observer.js';
import type { LogicalUnit } from '../../scsi/logical-unit.js';
import type { DeviceDetails, DeviceStatisticsReport } from './schema.js';
import type { ControlDevice } from './target.js';

/** What a disk was exported as. */
export interface ExportDescription {
  /** `export/HANDLER.N` */
  readonly name: string;
  /** Subtype of its handler. */
  readonly handler: string;
  /** `HANDLER/CFGSTRING` */
  readonly config: string;
}

/** A disk of the embedded iSCSI target alone, as the control socket sees it; it counts the disk's commands. */
export class ExportedDevice implements ControlDevice, CommandObserver {
  readonly #description: ExportDescription;
  readonly #disk: Disk;
  readonly #unit: LogicalUnit;
  readonly #statistics = new DeviceStatistics();
  #trace: CommandTrace | undefined;
  #inFlight = 0;
  #state: 'serving' | 'paused' | 'closed' = 'serving';
  /** One for each portal. */
  urls: readonly string[] = [];

  constructor(description: ExportDescription, { disk, unit }: { disk: Disk; unit: LogicalUnit }) {
    this.#description = description;
    this.#disk = disk;
    this.#unit = unit;
  }

  get name(): string {
    return this.#description.name;
  }

  /** The data is in this process's memory. */
  get holdsData(): boolean {
    return this.#disk.handOver !== undefined;
  }

  started(command: TraceableCommand): void {
    this.#inFlight++;
    this.#statistics.started(command);
  }

  completed(command: TraceableCommand, status: number, sense: Uint8Array | undefined): void {
    this.#inFlight--;
    this.#statistics.completed(command, status, sense);
    if (this.#trace?.active) this.#trace.record(command, status, sense, this.#statistics.lastLatency);
  }

  details(): DeviceDetails {
    const { identity } = this.#unit;
    const { vendor, product, revision } = identity;
    return {
      ...this.#description,
      state: this.#state,
      transport: 'iscsi',
      size: this.#disk.size,
      inFlight: this.#inFlight,
      path: this.urls.join(' '),
      blockSize: this.#unit.blockSize,
      readOnly: this.#disk.readOnly ?? false,
      thin: this.#disk.unmap !== undefined,
      vendor,
      product,
      revision,
      serial: identity.serial(),
      // Initiators have their own.
      commandTimeout: 0,
      isolation: 'none',
      pid: process.pid,
      restarts: 0,
    };
  }

  statistics(): DeviceStatisticsReport {
    const counters = this.#statistics.snapshot();
    return {
      name: this.name,
      inFlight: this.#inFlight,
      ...counters,
      senseKeys: [...counters.senseKeys],
      latency: { ...counters.latency, buckets: [...counters.latency.buckets] },
    };
  }

  async pause(): Promise<void> {
    if (this.#state === 'serving') this.#state = 'paused';
    await this.#unit.quiesce();
  }

  resume(): void {
    if (this.#state !== 'paused') return;
    this.#state = 'serving';
    this.#unit.resume();
  }

  trace(listener: TraceListener): () => void {
    const trace = (this.#trace ??= new CommandTrace(this.#unit.commands));
    const stop = trace.listen(listener);
    this.#statistics.measureAll = true;
    return () => {
      stop();
      this.#statistics.measureAll = trace.active;
    };
  }

  /** It is exported no more: what was held back is let go, and traces end. */
  close(): void {
    this.resume();
    this.#state = 'closed';
    this.#trace?.close();
  }
}
