import type { z } from 'zod';
import type { Disk } from '../scsi/disk.js';

export type { CommandContext, Disk, Done, Extent, Hold, VendorCommand } from '../scsi/disk.js';
export { SenseError, additionalSense, senseKey } from '../scsi/sense.js';

/** Where a handler writes what an administrator should read. */
export interface HandlerLog {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** What the one who makes the logical unit asked for, beside the handler's own options. */
export interface OpenRequest {
  /** Capacity asked for in bytes (targetcli's size=, `--size`); undefined leaves it to the handler. */
  readonly size?: number;
  /** Logical block length asked for in bytes (LIO's hw_block_size); undefined leaves it to the handler. */
  readonly blockSize?: number;
  readonly log: HandlerLog;
  /**
   * What the disk before this one handed over, where it was closed to be opened anew (hot reload, another
   * configuration). It may come from another version of the code: look at it before use.
   */
  readonly inherited?: unknown;
}

/** What opens disks of one kind, given a configuration that has been read. */
export interface DiskMaker<Config extends object = object> {
  /** Of the handler. */
  readonly name: string;
  check?(config: Config): void | Promise<void>;
  open(config: Config, request: OpenRequest): Disk | Promise<Disk>;
}

/** A kind of disk. Made by defineHandler. */
export interface Handler<Schema extends z.ZodObject = z.ZodObject> extends DiskMaker<z.output<Schema>> {
  /**
   * The subtype in `SUBTYPE/CFGSTRING`: lower-case letters, digits and `_`, as it becomes part of a D-Bus object
   * path.
   */
  readonly name: string;
  /** One line: what a disk of this kind is. */
  readonly description: string;
  /** The options; each field's `.describe()` and `.default()` are shown to users. */
  readonly config: Schema;
  /** The option that takes the cfgstring's part before `?`: `path` in `file//srv/disk.img`. */
  readonly positional?: keyof z.output<Schema> & string;
  /**
   * Refuse, by throwing, a configuration that could not be opened. Runs when an administrator asks (targetcli's
   * create), so it changes nothing and is quick.
   */
  check?(config: z.output<Schema>): void | Promise<void>;
  open(config: z.output<Schema>, request: OpenRequest): Disk | Promise<Disk>;
}

/** Define a handler. The one call at the bottom of a handler's file; checks what types cannot. */
export function defineHandler<Schema extends z.ZodObject>(handler: Handler<Schema>): Handler<Schema> {
  if (!/^[a-z][a-z0-9_]{0,31}$/.test(handler.name)) {
    throw new TypeError(
      `handler name '${handler.name}' must be lower-case letters, digits and _, starting with a letter, at most 32`,
    );
  }
  const { positional } = handler;
  if (positional !== undefined && !(positional in handler.config.shape)) {
    throw new TypeError(`handler ${handler.name}: positional '${positional}' is not one of its options`);
  }
  return handler;
}
