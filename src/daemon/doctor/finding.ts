import type { Host } from './host.js';

/** What mends a finding. */
export interface Fix {
  /** For a POSIX shell, as root; several lines where it takes several commands. */
  readonly command: string;
  /** Whether nobody loses anything by it, so that `--fix` may run it without being asked about it. */
  readonly safe: boolean;
}

/** Something that is wrong, or will go wrong, with the disks of this host. */
export interface Finding {
  /** Which check found it: `blocked-device`. */
  readonly id: string;
  /** The device, process or file it is about. */
  readonly subject?: string;
  /** One sentence: what is the matter. */
  readonly what: string;
  /** What it does to those who use the disks. */
  readonly why: string;
  /** Undefined where no command can do it: then `advice` says what to do. */
  readonly fix?: Fix;
  /** What else there is to know before the command is run, or instead of it. */
  readonly advice?: string;
}

/** One thing to look for. */
export interface Check {
  readonly id: string;
  /** Whether it reads configfs, which hangs while a deletion waits for a daemon's answer. */
  readonly readsConfigfs: boolean;
  find(host: Host): Finding[] | Promise<Finding[]>;
}

/** A word of a shell command. */
export function shellWord(text: string): string {
  return /^[\w./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A count with its noun, and the verb that goes with it. */
export function plural(count: number, one: string, many: string): string {
  return count === 1 ? `1 ${one}` : `${count} ${many}`;
}
