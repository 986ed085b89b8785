import { readFileSync, writeFileSync } from 'node:fs';
import type { LoopbackLun } from './lun.js';
import { run, type RunResult } from './run.js';

/** Exit statuses of sg3_utils (its sg_lib.h). */
export const exit = { notReady: 2, unitAttention: 6, miscompare: 14, outOfRange: 22 };

const BLOCK = 512;
let files = 0;

/** A file in the guest's memory with these bytes. @returns its path */
export function fileOf(bytes: Uint8Array): string {
  files += 1;
  const path = `/tmp/sg3-${files}`;
  writeFileSync(path, bytes);
  return path;
}

/** Blocks of 512 bytes that are each other's unlike, and unlike those of another seed from their second byte on. */
export function pattern(blocks: number, seed: number): Buffer {
  const bytes = Buffer.alloc(blocks * BLOCK, seed);
  for (let block = 0; block < blocks; block += 1) bytes.writeUInt32BE((seed << 20) + block, block * BLOCK);
  return bytes;
}

/** One LUN and the tools of sg3_utils, past the kernel's block layer and its cache. */
export class Sg3 {
  constructor(readonly lun: LoopbackLun) {}

  /** Run a tool with the LUN as its last argument. @throws where it fails */
  tool(name: string, ...args: string[]): Promise<RunResult> {
    return run(name, [...args, this.lun.generic]);
  }

  /** Its standard output. */
  async output(name: string, ...args: string[]): Promise<string> {
    return (await this.tool(name, ...args)).stdout;
  }

  /** Run a tool that may fail. */
  attempt(name: string, ...args: string[]): Promise<RunResult> {
    return run(name, [...args, this.lun.generic], { mayFail: true });
  }

  async write(lba: number, bytes: Uint8Array): Promise<void> {
    const count = bytes.length / BLOCK;
    await run('sg_dd', [
      `if=${fileOf(bytes)}`,
      `of=${this.lun.generic}`,
      `bs=${BLOCK}`,
      `seek=${lba}`,
      `count=${count}`,
    ]);
  }

  async read(lba: number, count: number): Promise<Buffer> {
    const out = fileOf(new Uint8Array(0));
    await run('sg_dd', [
      `if=${this.lun.generic}`,
      `of=${out}`,
      `bs=${BLOCK}`,
      `skip=${lba}`,
      `count=${count}`,
    ]);
    return readFileSync(out);
  }

  /** What sg_get_lba_status says of the extent at `lba`. */
  async lbaStatus(lba: number): Promise<{ blocks: number; deallocated: boolean }> {
    const text = await this.output('sg_get_lba_status', `--lba=${lba}`);
    const found = /LBA: 0x0*([0-9a-f]+) +blocks: +(\d+) +(.*)/.exec(text);
    if (!found || Number.parseInt(found[1] ?? '', 16) !== lba) throw new Error(text);
    return { blocks: Number(found[2]), deallocated: /deallocated/.test(found[3] ?? '') };
  }
}
