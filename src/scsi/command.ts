import type { CommandContext } from './disk.js';

/** Buffers of one direction of a command, in order. The arrays are reused: valid until the command completes. */
export interface DataBuffer {
  /** Views of the transport's memory. */
  readonly segments: readonly Uint8Array[];
  /** Bytes over all segments. */
  readonly byteLength: number;
}

/**
 * One SCSI command as a transport hands it to a logical unit (SAM-5 5.1 "Execute Command procedure call").
 * Transports reuse these objects: nothing here is valid after complete().
 */
export interface ScsiCommand {
  /** Holds the CDB in its first `cdbLength` bytes; what follows is left over from earlier commands. */
  readonly cdb: Uint8Array;
  /** Bytes the transport delivered: 1 to 260. */
  readonly cdbLength: number;
  /**
   * Data-Out and Data-In. A transport that is not told the direction (TCMU) gives the same buffer as both;
   * the command table knows which one the command means.
   */
  readonly dataOut: DataBuffer;
  readonly dataIn: DataBuffer;
  /** What the handler's verbs are given; `fua` and `dpo` are set from the CDB before they run. */
  readonly context: MutableCommandContext;
  /** Default simple. */
  readonly attribute?: TaskAttribute;
  /**
   * Set by the logical unit where it knows it: the bytes the CDB asks to be transferred, of which the buffer may
   * hold more or fewer. Transports make the residual of it (iSCSI, FCP).
   */
  transferLength?: number;
  /**
   * The transport tells the initiator the residual. A write with fewer blocks of Data-Out than its CDB says then
   * stores those that came; elsewhere it is refused, as nobody would be told.
   */
  readonly reportsResidual?: boolean;
  /**
   * The command is aborted (SAM-5 5.3.3, 7): stop its verb by the context's signal. It still ends with complete(),
   * whose status is then TASK ABORTED.
   * @param silent the initiator gets no response: it asked for the abort itself, or TAS is 0
   */
  abort?(reason: Error, silent: boolean): void;
  /**
   * Answer. To be called exactly once.
   * @param status SAM-5 status code
   * @param sense sense data with CHECK CONDITION; copied before the call returns
   * @param readLength bytes of Data-In that are valid, where fewer than the buffer holds
   */
  complete(status: number, sense?: Uint8Array, readLength?: number): void;
}

export type MutableCommandContext = { -readonly [Key in keyof CommandContext]: CommandContext[Key] };

/** A target port through which the logical unit is reached. */
export interface TargetPort {
  /** RELATIVE TARGET PORT IDENTIFIER: 1 and up, unique in the process. */
  readonly relativeId: number;
  /** Target port group: 1 and up (SPC-4 5.15). */
  readonly group: number;
  /** SCSI name string of the port: `iqn…,t,0x0001`. */
  readonly name: string;
}

/**
 * An I_T nexus: one initiator port's view of the logical unit (SAM-5 4.7). Compared by identity; a transport
 * makes one object for each session and logical unit target.
 */
export interface Nexus {
  /** Names the initiator in logs: an iSCSI name, `lio` for LIO. */
  readonly name: string;
  /** TransportID of the initiator port (SPC-4 7.6.4), where the transport knows it. Registrations are kept by it. */
  readonly transportId?: Uint8Array;
  readonly port?: TargetPort;
}

/** Task attributes (SAM-5 8.6). */
export type TaskAttribute = 'simple' | 'ordered' | 'headOfQueue' | 'aca';
