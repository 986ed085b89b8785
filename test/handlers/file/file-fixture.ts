import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { configure } from '../../../src/handlers/cfgstring.js';
import type { Disk, OpenRequest } from '../../../src/handlers/contract.js';
import { file } from '../../../src/handlers/file/index.js';
import { quietLog } from '../../conformance/support.js';

/** A scratch directory for a `describe`, and disks opened in it, which are closed after each test. */
export class FileFixture {
  directory = '';
  readonly #opened: Disk[] = [];

  constructor() {
    beforeEach(() => {
      this.directory = mkdtempSync(join(tmpdir(), 'lunette-file-'));
    });
    afterEach(async () => {
      for (const disk of this.#opened.splice(0)) await disk.close?.();
      rmSync(this.directory, { recursive: true, force: true });
    });
  }

  path(name = 'disk.img'): string {
    return join(this.directory, name);
  }

  /** A sparse file of `size` bytes. */
  image(size: number, name?: string): string {
    const path = this.path(name);
    writeFileSync(path, '');
    truncateSync(path, size);
    return path;
  }

  async check(cfgstring: string): Promise<void> {
    await file.check?.(configure(file, cfgstring));
  }

  async open(cfgstring: string, request: Partial<OpenRequest> = {}): Promise<Disk> {
    const disk = await file.open(configure(file, cfgstring), { log: quietLog, ...request });
    this.#opened.push(disk);
    return disk;
  }
}
