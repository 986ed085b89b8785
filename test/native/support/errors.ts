import { expect } from 'chai';
import type { NativeError } from '../../../src/native/addon.js';

/** What `call` throws. */
export function thrownBy(call: () => unknown): NativeError {
  try {
    call();
  } catch (error) {
    expect(error).to.be.instanceOf(Error);
    return error as NativeError;
  }
  throw new Error('nothing was thrown');
}
