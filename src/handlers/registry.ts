import { ConfigError } from './config-error.js';
import type { DiskMaker, Handler } from './contract.js';
import { nearest } from './suggest.js';

export interface RegistryOptions {
  /** Put before each handler's name in a device's subtype, to keep clear of another daemon's names. */
  readonly prefix?: string;
}

export interface RegistryEntry<Kind extends DiskMaker = Handler> {
  /** What stands before the first `/` of dev_config: the prefix and the handler's name. */
  readonly subtype: string;
  readonly handler: Kind;
}

/**
 * The handlers a daemon offers, by subtype. A subtype is matched whole. Of one that only opens what another has
 * configured, DiskMakers are enough.
 */
export class HandlerRegistry<Kind extends DiskMaker = Handler> {
  readonly #prefix: string;
  readonly #handlers = new Map<string, Kind>();
  readonly #origins = new Map<string, string>();
  readonly #builtIn = new Set<string>();

  constructor({ prefix = '' }: RegistryOptions = {}) {
    if (!/^([a-z][a-z0-9_]{0,31})?$/.test(prefix)) {
      throw new ConfigError(
        'BAD_SUBTYPE',
        `subtype prefix '${prefix}' must be lower-case letters, digits and _, starting with a letter, at most 32`,
      );
    }
    this.#prefix = prefix;
  }

  /** What stands before the first `/` of dev_config for a handler of that name. */
  subtypeOf(name: string): string {
    return this.#prefix + name;
  }

  /**
   * @param origin the module it was loaded from; undefined for one that comes with Lunette
   * @throws ConfigError where a handler of that name is there already
   */
  add(handler: Kind, origin?: string): void {
    const subtype = this.subtypeOf(handler.name);
    if (this.#handlers.has(subtype)) {
      throw new ConfigError(
        'DUPLICATE_HANDLER',
        `there are two handlers named '${handler.name}': rename one of them`,
      );
    }
    this.#handlers.set(subtype, handler);
    if (origin !== undefined) this.#origins.set(subtype, origin);
  }

  /** One that comes with Lunette. @throws ConfigError where a handler of that name is there already */
  addBuiltIn(handler: Kind): void {
    this.add(handler);
    this.#builtIn.add(this.subtypeOf(handler.name));
  }

  /** The module a handler was loaded from; undefined for one that comes with Lunette. */
  origin(subtype: string): string | undefined {
    return this.#origins.get(subtype);
  }

  /** Whether another thread or process finds the handler too. */
  canBeLoaded(subtype: string): boolean {
    return this.#origins.has(subtype) || this.#builtIn.has(subtype);
  }

  /** Put another version in the place of the handler of that name; a new name is added. @returns its subtype */
  replace(handler: Kind): string {
    const subtype = this.subtypeOf(handler.name);
    this.#handlers.set(subtype, handler);
    return subtype;
  }

  get(subtype: string): Kind | undefined {
    return this.#handlers.get(subtype);
  }

  /** @throws ConfigError that names the nearest subtype */
  find(subtype: string): Kind {
    const handler = this.get(subtype);
    if (handler) return handler;
    const near = this.suggest(subtype);
    throw new ConfigError(
      'UNKNOWN_HANDLER',
      `there is no handler '${subtype}'` +
        (near === undefined ? '' : `, did you mean '${near}'?`) +
        `; there are ${this.names().join(', ')}`,
    );
  }

  /** In the order they were added. */
  list(): RegistryEntry<Kind>[] {
    return Array.from(this.#handlers, ([subtype, handler]) => ({ subtype, handler }));
  }

  names(): string[] {
    return [...this.#handlers.keys()];
  }

  /** The subtype that `subtype` is most likely a slip of. */
  suggest(subtype: string): string | undefined {
    return nearest(subtype, this.names());
  }
}
