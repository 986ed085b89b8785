import type { z } from 'zod';
import { ConfigError } from './config-error.js';
import type { Handler } from './contract.js';
import { readDefinition } from './definitions.js';
import { ISOLATE, parseIsolation, type Isolation } from './isolation.js';
import { nearest } from './suggest.js';

/*
 * The cfgstring, one syntax for all handlers:
 *
 *   SUBTYPE/[POSITIONAL][?NAME[=VALUE][&NAME[=VALUE]]...]
 *   SUBTYPE/@DEFINITION
 *
 * %XX stands for any byte. `|` is kept for layers. A cfgstring with a comma is refused: the kernel's parser of
 * configfs `control` would end the value there without a word (target_core_user.c, tcmu_set_configfs_dev_params).
 */

/** TCMU_CONFIG_LEN less its terminating NUL, in bytes. */
const MAX_DEV_CONFIG = 255;

/** A cfgstring in its parts, decoded, not yet checked against a handler's options. */
export interface Cfgstring {
  /** What stands before `?`; undefined where that is empty. */
  readonly positional: string | undefined;
  /** Name and value as written, in order; the value of an option without `=` is the empty text. */
  readonly options: ReadonlyMap<string, string>;
}

export interface ConfigureOptions {
  /** The directory `@NAME` is read from. */
  readonly definitions?: string;
}

/** A `dev_config` as the kernel tells of it: what was written with echo ends with a newline. */
export function writtenConfig(devConfig: string): string {
  return devConfig.replace(/\n$/, '');
}

/**
 * Take a TCMU `dev_config` apart. The subtype is everything before the first `/`.
 * @throws ConfigError where it has no subtype, or is longer than the kernel keeps
 */
export function parseDeviceConfig(devConfig: string): { subtype: string; cfgstring: string } {
  const bytes = Buffer.byteLength(devConfig);
  if (bytes > MAX_DEV_CONFIG) {
    throw new ConfigError(
      'TOO_LONG',
      `the configuration has ${bytes} bytes, the kernel keeps ${MAX_DEV_CONFIG}: ` +
        'write it to a definition file and give @NAME as the cfgstring',
    );
  }
  const slash = devConfig.indexOf('/');
  const subtype = slash < 0 ? devConfig : devConfig.slice(0, slash);
  if (subtype === '') {
    throw new ConfigError(
      'BAD_SUBTYPE',
      `'${devConfig}' names no handler: write HANDLER/CFGSTRING, such as memory/?size=1G`,
    );
  }
  return { subtype, cfgstring: slash < 0 ? '' : devConfig.slice(slash + 1) };
}

function decode(text: string): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(text);
  } catch {
    throw new ConfigError('BAD_CFGSTRING', `'${text}' is not percent-encoded UTF-8: write % itself as %25`);
  }
  if (decoded.includes('\0')) throw new ConfigError('BAD_CFGSTRING', `'${text}' contains a NUL byte`);
  return decoded;
}

/**
 * Take a cfgstring apart.
 * @throws ConfigError
 */
export function parseCfgstring(cfgstring: string): Cfgstring {
  if (cfgstring.includes('|')) {
    throw new ConfigError(
      'LAYERS_NOT_SUPPORTED',
      "'|' is kept for layers, which this version does not have: write a '|' that is part of a value as %7C",
    );
  }
  const mark = cfgstring.indexOf('?');
  const positional = mark < 0 ? cfgstring : cfgstring.slice(0, mark);
  const query = mark < 0 ? '' : cfgstring.slice(mark + 1);
  const options = new Map<string, string>();
  for (const part of query.split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const name = decode(equals < 0 ? part : part.slice(0, equals));
    if (name === '') throw new ConfigError('BAD_CFGSTRING', `'${part}' has no option name before '='`);
    if (options.has(name)) throw new ConfigError('DUPLICATE_OPTION', `option '${name}' is given twice`);
    options.set(name, equals < 0 ? '' : decode(part.slice(equals + 1)));
  }
  return { positional: positional === '' ? undefined : decode(positional), options };
}

function unknownOption(handler: Handler, name: string): ConfigError {
  const names = Object.keys(handler.config.shape);
  const near = nearest(name, names);
  return new ConfigError(
    'UNKNOWN_OPTION',
    `${handler.name}: unknown option '${name}'` +
      (near === undefined ? '' : `, did you mean '${near}'?`) +
      (names.length === 0 ? '; it has none' : `; it has ${names.join(', ')}`),
  );
}

/** The parts as the object the handler's schema is given. */
function toInput(handler: Handler, { positional, options }: Cfgstring): Record<string, string> {
  const values = new Map(options);
  const isolation = options.get(ISOLATE);
  if (isolation !== undefined && !Object.hasOwn(handler.config.shape, ISOLATE)) {
    parseIsolation(isolation);
    values.delete(ISOLATE);
  }
  for (const name of values.keys()) {
    if (!Object.hasOwn(handler.config.shape, name)) throw unknownOption(handler, name);
  }
  if (positional !== undefined) {
    if (handler.positional === undefined) {
      throw new ConfigError(
        'BAD_CFGSTRING',
        `${handler.name}: '${positional}' stands where nothing belongs: options follow a '?', as in ` +
          `${handler.name}/?NAME=VALUE`,
      );
    }
    if (values.has(handler.positional)) {
      throw new ConfigError(
        'DUPLICATE_OPTION',
        `${handler.name}: ${handler.positional} is given twice, before '?' and as an option`,
      );
    }
    values.set(handler.positional, positional);
  }
  return Object.fromEntries(values);
}

function toConfigError(handler: Handler, input: Record<string, string>, error: z.ZodError): ConfigError {
  const { path, message } = error.issues[0];
  const name = String(path[0] ?? '');
  if (name === '' || Object.hasOwn(input, name)) {
    return new ConfigError('BAD_OPTION', `${handler.name}: ${name === '' ? '' : `${name}: `}${message}`);
  }
  const where =
    name === handler.positional
      ? `write it before any '?', as in ${handler.name}/${name.toUpperCase()}`
      : `add ?${name}=VALUE`;
  return new ConfigError('MISSING_OPTION', `${handler.name}: ${name} is missing: ${where}`);
}

/** What a cfgstring says, be it in a definition file. */
function textOf(cfgstring: string, { definitions }: ConfigureOptions): string {
  return cfgstring.startsWith('@') ? readDefinition(cfgstring.slice(1), definitions) : cfgstring;
}

/**
 * Where a cfgstring wants its device to be served: its option `isolate`.
 * @returns undefined where it does not say
 * @throws ConfigError where there is no such place
 */
export function isolationOf(cfgstring: string, options: ConfigureOptions = {}): Isolation | undefined {
  const text = parseCfgstring(textOf(cfgstring, options)).options.get(ISOLATE);
  return text === undefined ? undefined : parseIsolation(text);
}

/**
 * Read a cfgstring as the configuration of `handler`.
 * @param cfgstring the part after `SUBTYPE/`, or `@NAME` of a definition file
 * @throws ConfigError that names the option at fault and the way out
 */
export function configure<Schema extends z.ZodObject>(
  handler: Handler<Schema>,
  cfgstring: string,
  options: ConfigureOptions = {},
): z.output<Schema> {
  if (!cfgstring.startsWith('@') && cfgstring.includes(',')) {
    throw new ConfigError(
      'BAD_CFGSTRING',
      `${handler.name}: the kernel cuts a cfgstring off at a comma: write ',' as %2C`,
    );
  }
  const input = toInput(handler, parseCfgstring(textOf(cfgstring, options)));
  const result = handler.config.safeParse(input);
  if (!result.success) throw toConfigError(handler, input, result.error);
  return result.data;
}
