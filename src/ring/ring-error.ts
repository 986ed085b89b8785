/**
 * - `BAD_MAILBOX`: the region does not begin with a mailbox this library can serve
 * - `BAD_ENTRY`: an entry contradicts the region, so that none after it can be trusted
 * - `REGION_FAILED`: the device behind the region cannot be read or written any more
 */
export type RingErrorCode = 'BAD_MAILBOX' | 'BAD_ENTRY' | 'REGION_FAILED';

/** A ring that cannot be served, or not any longer. The device is lost, the process is not. */
export class RingError extends Error {
  override readonly name = 'RingError';

  constructor(
    readonly code: RingErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** An entry of the ring that cannot be what the kernel wrote. */
export function badEntry(message: string): RingError {
  return new RingError('BAD_ENTRY', `bad ring entry: ${message}`);
}

/** A region that does not begin with a mailbox this library can serve. */
export function badMailbox(message: string): RingError {
  return new RingError('BAD_MAILBOX', `not a usable TCMU region: ${message}`);
}
