import { readFileSync, watch, type FSWatcher } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, dirname, extname, resolve } from 'node:path';

/** Specifiers of relative imports: `import … from './x.js'`, `export … from`, `import('./x.js')`, `require`. */
const RELATIVE_IMPORT = /(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\s*\(\s*)(['"])(\.{1,2}\/[^'"]+)\1/g;

/** What a specifier may stand for: TypeScript is imported by the name of what it is compiled to. */
const SOURCES: Readonly<Record<string, readonly string[]>> = {
  '.js': ['.js', '.ts', '.tsx'],
  '.mjs': ['.mjs', '.mts'],
  '.cjs': ['.cjs', '.cts'],
};

function candidates(path: string): string[] {
  const extension = extname(path);
  const stem = path.slice(0, path.length - extension.length);
  const sources = SOURCES[extension];
  if (sources) return sources.map((source) => stem + source);
  return extension === '' ? [path, `${path}.ts`, `${path}.js`, `${path}.json`] : [path];
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** The file itself and every file that it imports by relative paths, as far as they can be read. */
export function sourceFiles(entry: string): Set<string> {
  const files = new Set<string>();
  const open = [resolve(entry)];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (files.has(path)) continue;
    const text = readText(path);
    if (text === undefined) continue;
    files.add(path);
    for (const [, , specifier] of text.matchAll(RELATIVE_IMPORT)) {
      open.push(...candidates(resolve(dirname(path), specifier)));
    }
  }
  return files;
}

/**
 * Time of change and size: an editor's save is several events, of which the last state counts.
 * @returns undefined while a file is empty: it is about to be written
 */
async function signature(files: Iterable<string>): Promise<string | undefined> {
  let empty = false;
  const states = await Promise.all(
    Array.from(files, async (path) => {
      const found = await stat(path, { bigint: true }).catch(() => undefined);
      empty ||= found?.size === 0n;
      return `${path} ${found?.mtimeNs} ${found?.size} ${found?.ino}`;
    }),
  );
  return empty ? undefined : states.join('\n');
}

/**
 * Follows a module's source files. `onChange` runs after a save, once at a time; a save that comes while it runs
 * makes it run once more. Folders are watched, not files: editors replace a file by another of the same name.
 */
export class SourceWatcher {
  readonly #entry: string;
  readonly #onChange: () => Promise<void>;
  readonly #watchers = new Map<string, FSWatcher>();
  #files = new Set<string>();
  #known: string | undefined;
  #pending = false;
  #working: Promise<void> | undefined;
  #closed = false;

  private constructor(entry: string, onChange: () => Promise<void>) {
    this.#entry = resolve(entry);
    this.#onChange = onChange;
  }

  /** @param onChange must not reject */
  static async start(entry: string, onChange: () => Promise<void>): Promise<SourceWatcher> {
    const watcher = new SourceWatcher(entry, onChange);
    watcher.#follow();
    watcher.#known = await signature(watcher.#files);
    return watcher;
  }

  /** The files that are followed now. */
  get files(): readonly string[] {
    return [...this.#files];
  }

  #follow(): void {
    this.#files = sourceFiles(this.#entry).add(this.#entry);
    const folders = new Set(Array.from(this.#files, (path) => dirname(path)));
    for (const [folder, watcher] of this.#watchers) {
      if (folders.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of folders) {
      if (this.#watchers.has(folder)) continue;
      const watcher = watch(folder, (_event, name) => this.#touched(folder, name));
      // A folder that goes away: the files in it cannot be saved any more.
      watcher.on('error', () => this.#watchers.delete(folder));
      this.#watchers.set(folder, watcher);
    }
  }

  #touched(folder: string, name: string | null): void {
    const ours = [...this.#files].some(
      (path) => dirname(path) === folder && (name === null || basename(path) === name),
    );
    if (!ours || this.#closed) return;
    this.#pending = true;
    this.#working ??= this.#work().finally(() => (this.#working = undefined));
  }

  async #work(): Promise<void> {
    while (this.#pending && !this.#closed) {
      this.#pending = false;
      const now = await signature(this.#files);
      // Events of a save that is not complete, or of one that was seen, say nothing new.
      if (this.#pending || now === undefined || now === this.#known) continue;
      this.#known = now;
      await this.#onChange();
      if (this.#closed) return;
      this.#follow();
    }
  }

  /** Follow no longer; fulfilled when what runs has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
    await this.#working;
  }
}
