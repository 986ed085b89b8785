import type { z } from 'zod';
import { ConfigError } from './config-error.js';
import type { Handler } from './contract.js';
import { formatSize } from './options.js';
import { nearest } from './suggest.js';

export interface RegistryOptions {
  /** Put before each handler's name in a device's subtype, to keep clear of another daemon's names. */
  readonly prefix?: string;
}

export interface RegistryEntry {
  /** What stands before the first `/` of dev_config: the prefix and the handler's name. */
  readonly subtype: string;
  readonly handler: Handler;
}

/** The handlers a daemon offers, by subtype. A subtype is matched whole. */
export class HandlerRegistry {
  readonly #prefix: string;
  readonly #handlers = new Map<string, Handler>();
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
  add<Schema extends z.ZodObject>(handler: Handler<Schema>, origin?: string): void {
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
  addBuiltIn<Schema extends z.ZodObject>(handler: Handler<Schema>): void {
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
  replace<Schema extends z.ZodObject>(handler: Handler<Schema>): string {
    const subtype = this.subtypeOf(handler.name);
    this.#handlers.set(subtype, handler);
    return subtype;
  }

  get(subtype: string): Handler | undefined {
    return this.#handlers.get(subtype);
  }

  /** @throws ConfigError that names the nearest subtype */
  find(subtype: string): Handler {
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
  list(): RegistryEntry[] {
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

/** One option, as it is shown to users. */
export interface OptionDescription {
  readonly name: string;
  /** `size`, `flag`, `number`, `text`, or the values to choose from: `async|sync`. */
  readonly type: string;
  /** As a cfgstring would say it; undefined where leaving the option out has a meaning of its own. */
  readonly default?: string;
  readonly required: boolean;
  readonly description: string;
  /** True for the option that stands before `?`. */
  readonly positional: boolean;
  /** A value to show. */
  readonly example?: string;
}

/** What zod keeps about a schema, as far as it is read here. Read by methods, so that a handler may bring its own zod. */
interface SchemaInternals {
  readonly description?: string;
  readonly def: {
    readonly type: string;
    readonly innerType?: SchemaInternals;
    readonly defaultValue?: unknown;
    readonly entries?: Record<string, string>;
  };
  meta(): { label?: string; example?: string } | undefined;
  isOptional(): boolean;
}

function typeName(schema: SchemaInternals): string {
  const label = schema.meta()?.label;
  if (label !== undefined) return label;
  const { type, entries } = schema.def;
  if (entries) return Object.values(entries).join('|');
  return { string: 'text', boolean: 'flag' }[type] ?? type;
}

function defaultText(value: unknown, type: string): string {
  if (type === 'flag') return value ? 'on' : 'off';
  if (type === 'size' && typeof value === 'number') return formatSize(value).replace(' ', '');
  return String(value);
}

/** The options of a handler, in the schema's order. */
export function describeOptions<Schema extends z.ZodObject>(handler: Handler<Schema>): OptionDescription[] {
  return Object.entries(handler.config.shape).map(([name, field]) => {
    const outer = field as unknown as SchemaInternals;
    let inner = outer;
    let description = outer.description;
    let example = outer.meta()?.example;
    let defaultValue = outer.def.defaultValue;
    while (inner.def.innerType) {
      inner = inner.def.innerType;
      description ??= inner.description;
      example ??= inner.meta()?.example;
      defaultValue ??= inner.def.defaultValue;
    }
    const type = typeName(inner);
    return {
      name,
      type,
      default: defaultValue === undefined ? undefined : defaultText(defaultValue, type),
      required: !outer.isOptional(),
      description: description ?? '',
      positional: name === handler.positional,
      example,
    };
  });
}

/** A cfgstring to show: what must be given, and the options whose schema has an example. */
export function exampleCfgstring<Schema extends z.ZodObject>(handler: Handler<Schema>): string {
  const shown = describeOptions(handler).filter((option) => option.required || option.example !== undefined);
  const positional = shown.find((option) => option.positional);
  const options = shown
    .filter((option) => !option.positional)
    .map((option) => `${option.name}=${option.example ?? 'VALUE'}`);
  const start = positional ? (positional.example ?? positional.name.toUpperCase()) : '';
  return start + (options.length === 0 ? '' : `?${options.join('&')}`);
}

/** What a cfgstring of this handler says, for targetcli's `help create`: a few lines of text. */
export function configDescription<Schema extends z.ZodObject>(handler: Handler<Schema>): string {
  const options = describeOptions(handler);
  const positional = options.find((option) => option.positional);
  const lines = [
    handler.description,
    `cfgstring=${positional ? positional.name.toUpperCase() : ''}${options.length > (positional ? 1 : 0) ? '[?OPTION=VALUE[&OPTION=VALUE]...]' : ''}`,
    ...options.map((option) => {
      const kind = option.required ? `${option.type}, required` : option.type;
      const initial = option.default === undefined ? '' : `, default ${option.default}`;
      return `  ${option.name} (${kind}${initial})${option.description ? `: ${option.description}` : ''}`;
    }),
  ];
  const example = exampleCfgstring(handler);
  if (example !== '') lines.push(`example: cfgstring=${example}`);
  return lines.join('\n');
}
