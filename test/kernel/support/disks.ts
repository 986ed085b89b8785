import { rmSync } from 'node:fs';
import { LoopbackLun } from './lun.js';

/** A kind of disk that the same tests run on. */
export interface DiskKind {
  readonly name: string;
  create(size: string, control?: string): Promise<LoopbackLun>;
}

let images = 0;

/** A path where no file is. */
export function freshImage(folder = '/tmp'): string {
  images += 1;
  const path = `${folder}/image${images}.img`;
  rmSync(path, { force: true });
  return path;
}

export const memoryDisk: DiskKind = {
  name: 'memory',
  create: (size, control) => LoopbackLun.create({ backstore: 'user:memory', size, control, cfgstring: '' }),
};

export const fileDisk: DiskKind = {
  name: 'file',
  create: (size, control) =>
    LoopbackLun.create({ backstore: 'user:file', size, control, cfgstring: `${freshImage()}?create=1` }),
};

export const diskKinds = [memoryDisk, fileDisk];
