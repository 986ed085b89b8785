import { additionalSense, senseKey, SenseError } from './sense.js';

/** What the command was doing when its handler failed. */
export type Activity = 'read' | 'write' | 'other';

type Mapping = readonly [key: number, code: number];

const full: Mapping = [senseKey.dataProtect, additionalSense.spaceAllocationFailedWriteProtect];
const writeProtected: Mapping = [senseKey.dataProtect, additionalSense.writeProtected];
const gone: Mapping = [senseKey.notReady, additionalSense.logicalUnitCommunicationFailure];
const timedOut: Mapping = [senseKey.abortedCommand, additionalSense.commandTimeoutDuringProcessing];
const aborted: Mapping = [senseKey.abortedCommand, additionalSense.none];

/** By the `code` of a Node.js system error, or the `name` of a DOMException. */
const anyActivity: Readonly<Record<string, Mapping>> = {
  ENOSPC: full,
  EDQUOT: full,
  EFBIG: full,
  EROFS: writeProtected,
  ETIMEDOUT: timedOut,
  TimeoutError: timedOut,
  AbortError: aborted,
  ECANCELED: aborted,
  EINTR: aborted,
  ENODEV: gone,
  ENXIO: gone,
  ENOTCONN: gone,
  ECONNRESET: gone,
  ECONNREFUSED: gone,
  EPIPE: gone,
  EHOSTUNREACH: gone,
};

const byActivity: Readonly<Record<Activity, Readonly<Record<string, Mapping>>>> = {
  read: { EIO: [senseKey.mediumError, additionalSense.unrecoveredReadError] },
  write: {
    EIO: [senseKey.mediumError, additionalSense.writeError],
    EACCES: writeProtected,
    EPERM: writeProtected,
  },
  other: { EIO: [senseKey.mediumError, additionalSense.writeError] },
};

/** Own properties only: a label may be the name of one that every object inherits. */
function lookUp(table: Readonly<Record<string, Mapping>>, label: string): Mapping | undefined {
  return Object.hasOwn(table, label) ? table[label] : undefined;
}

/** Conditions that pass: the initiator is told BUSY and sends the command again. */
const transient = new Set(['EAGAIN', 'EBUSY', 'ENOMEM', 'ENOBUFS', 'EMFILE', 'ENFILE']);

/** True where the answer is status BUSY rather than sense data. */
export function isTransient(error: unknown): boolean {
  return transient.has((error as NodeJS.ErrnoException | undefined)?.code ?? '');
}

/**
 * What a handler's failure means to an initiator.
 * @returns a SenseError as it is; an errno error mapped; undefined for what is neither, a fault of the handler
 */
export function toSenseError(error: unknown, activity: Activity): SenseError | undefined {
  if (error instanceof SenseError) return error;
  const { code, name, message } = (error ?? {}) as Partial<NodeJS.ErrnoException>;
  for (const label of [code, name]) {
    if (typeof label !== 'string') continue;
    const mapping = lookUp(byActivity[activity], label) ?? lookUp(anyActivity, label);
    if (mapping) return new SenseError(mapping[0], mapping[1], message ?? label, { cause: error });
  }
  // A handler in a package with a Lunette of its own throws another class of the same shape.
  const foreign = error as Partial<SenseError> | null | undefined;
  if (name === 'SenseError' && typeof foreign?.key === 'number' && typeof code === 'number') {
    return new SenseError(foreign.key, code, message ?? '', foreign.details);
  }
  return undefined;
}

/** What a log says of a failure, whatever was thrown. */
export function describeFailure(error: unknown): string {
  try {
    return (error as Partial<Error> | null | undefined)?.stack ?? String(error);
  } catch {
    return 'what was thrown cannot be printed';
  }
}
