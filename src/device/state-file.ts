import { readFileSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Keeps what a logical unit must not forget (persistent reservations with APTPL, saved mode pages) in a file, as
 * JSON. The file is replaced whole: after a crash it holds either the old state or the new one. What it holds is
 * checked by whoever loads it.
 */
export class StateFile<State> {
  readonly #path: string;

  /** @param path in a directory that exists and may be written */
  constructor(path: string) {
    this.#path = path;
  }

  /**
   * @returns undefined where there is no file
   * @throws where it cannot be read or is no JSON; the logical unit says so and starts afresh
   */
  load(): State | undefined {
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    try {
      return JSON.parse(text) as State;
    } catch (cause) {
      throw new Error(`${this.#path} is no JSON`, { cause });
    }
  }

  /** @returns fulfilled when the state is on stable storage */
  async save(state: State): Promise<void> {
    const temporary = `${this.#path}.new`;
    try {
      await writeDurably(temporary, `${JSON.stringify(state)}\n`);
      await rename(temporary, this.#path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    await syncDirectory(dirname(this.#path));
  }
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A rename is durable when the directory is. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
