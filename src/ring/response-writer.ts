// HOT PATH: one call for every command.
import { header, response } from './abi.js';

/**
 * Write a response into an entry, over whatever request was there.
 * @param at where the entry begins, bytes from the start of the region
 */
export function writeResponse(
  bytes: Uint8Array,
  words: Uint32Array,
  at: number,
  id: number,
  userFlags: number,
  status: number,
  sense: Uint8Array | undefined,
  readLength: number,
): void {
  bytes[at + header.commandId] = id;
  bytes[at + header.commandId + 1] = id >> 8;
  bytes[at + header.userFlags] = userFlags;
  words[(at + response.scsiStatus) >> 2] = status;
  words[(at + response.readLength) >> 2] = readLength;
  if (sense) {
    const length = Math.min(sense.length, response.senseSize);
    for (let index = 0; index < length; index++) bytes[at + response.sense + index] = sense[index];
    bytes.fill(0, at + response.sense + length, at + response.sense + response.senseSize);
  }
}
