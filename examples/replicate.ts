/*
 * A disk that answers a write when it is in the local file, and sends it to a second file (a slow one, on NFS say)
 * afterwards, straight from the initiator's buffer: nothing is copied.
 *
 *   sudo lunette serve --handler ./examples/replicate.ts
 *   sudo targetcli /backstores/user:replicate create name=disk1 size=1G cfgstring=/srv/a.img?copy=/mnt/b.img
 */
import { open, type FileHandle } from 'node:fs/promises';
import { defineHandler, type CommandContext, type Disk } from 'lunette';
import { z } from 'zod';

class ReplicatedDisk implements Disk {
  /** One copy after the other, so that they arrive in the order of the writes. */
  #copying: Promise<unknown> = Promise.resolve();
  #failed: unknown;

  constructor(
    readonly size: number,
    readonly local: FileHandle,
    readonly remote: FileHandle,
  ) {}

  async read(buffer: Uint8Array, offset: number): Promise<void> {
    await this.local.read(buffer, 0, buffer.length, offset);
  }

  async write(buffer: Uint8Array, offset: number, { hold }: CommandContext): Promise<void> {
    // Before the first await: where the transport cannot keep the buffer, the data is copied.
    const held = hold?.();
    const data = held ? buffer : buffer.slice();
    await this.local.write(buffer, 0, buffer.length, offset);
    this.#copying = this.#copying
      .then(() => this.remote.write(data, 0, data.length, offset))
      .catch((error: unknown) => (this.#failed = error))
      .finally(() => held?.release());
  }

  /** Stable means: in both. */
  async flush(): Promise<void> {
    await this.#copying;
    if (this.#failed)
      throw Object.assign(new Error('the copy failed', { cause: this.#failed }), { code: 'EIO' });
    await Promise.all([this.local.datasync(), this.remote.datasync()]);
  }

  async close(): Promise<void> {
    await this.#copying;
    await Promise.all([this.local.close(), this.remote.close()]);
  }
}

export default defineHandler({
  name: 'replicate',
  description: 'A raw file, with a copy that follows it',
  config: z.object({ path: z.string(), copy: z.string().describe('the file that follows') }),
  positional: 'path',
  async open({ path, copy }, { size = 0 }) {
    const files = await Promise.all(
      [path, copy].map((name) => open(name, 'r+').catch(() => open(name, 'wx+'))),
    );
    await Promise.all(files.map((file) => file.truncate(size)));
    return new ReplicatedDisk(size, files[0], files[1]);
  },
});
