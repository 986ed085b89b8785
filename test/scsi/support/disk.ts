import type { CommandContext, Disk, Done } from '../../../src/scsi/disk.js';

/** A verb call, in words: `write 512+1024 fua`. Offsets and lengths in bytes. */
type Note = string;

function flags({ fua, dpo }: CommandContext): string {
  return (fua ? ' fua' : '') + (dpo ? ' dpo' : '');
}

/** A disk in memory that notes every verb call. It has no more than read, write and flush. */
export class TestDisk implements Disk {
  readonly calls: Note[] = [];
  size: number;
  bytes: Uint8Array;
  readonly blockSize: number;
  readonly flush?: Disk['flush'] = (context) => void this.calls.push(`flush${flags(context)}`);

  constructor(blocks = 2048, blockSize = 512) {
    this.blockSize = blockSize;
    this.size = blocks * blockSize;
    this.bytes = new Uint8Array(this.size);
  }

  read(buffer: Uint8Array, offset: number, context: CommandContext): Done {
    this.calls.push(`read ${offset}+${buffer.length}${flags(context)}`);
    buffer.set(this.bytes.subarray(offset, offset + buffer.length));
  }

  write(buffer: Uint8Array, offset: number, context: CommandContext): Done {
    this.calls.push(`write ${offset}+${buffer.length}${flags(context)}`);
    this.bytes.set(buffer, offset);
  }
}

/** A disk that can deallocate. */
export class ThinDisk extends TestDisk {
  unmap(offset: number, length: number, context: CommandContext): Done {
    this.calls.push(`unmap ${offset}+${length}${flags(context)}`);
    this.bytes.fill(0, offset, offset + length);
  }
}

/** A disk with each verb and promise that gives the unit a command. */
export class CapableDisk extends ThinDisk {
  readonly atomicWriteSize = 128 * 512;

  cryptoErase(context: CommandContext): Done {
    this.calls.push(`cryptoErase${flags(context)}`);
    this.bytes.forEach((byte, at) => (this.bytes[at] = byte ^ 0x5c));
  }
}

/** `disk` with some properties of its own. */
export function diskWith<Base extends Disk>(base: Base, properties: Partial<Disk>): Base {
  return Object.defineProperties(base, Object.getOwnPropertyDescriptors(properties));
}

/** Bytes that differ from block to block and from seed to seed. */
export function pattern(length: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at * 7 + (at >> 8) * 13 + seed * 31) & 0xff);
}
