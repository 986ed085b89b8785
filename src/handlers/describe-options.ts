import type { z } from 'zod';
import type { Handler } from './contract.js';
import { formatSize } from './size-text.js';

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
