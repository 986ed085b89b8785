import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from './config-error.js';

/** Where `@NAME` is looked up unless told otherwise. */
export const DEFAULT_DEFINITIONS = '/etc/lunette/definitions';

/** Bytes. A definition is a line or a few; what is longer is some other file. */
const MAX_DEFINITION = 64 * 1024;

/** At most MAX_DEFINITION bytes of a regular file. O_NONBLOCK: opening a FIFO must not hang the daemon. */
function readBounded(path: string): string {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!fstatSync(fd).isFile()) throw new ConfigError('BAD_DEFINITION', `${path} is not a regular file`);
    const buffer = Buffer.alloc(MAX_DEFINITION + 1);
    let length = 0;
    for (let count = -1; count !== 0 && length < buffer.length; length += count) {
      count = readSync(fd, buffer, length, buffer.length - length, length);
    }
    if (length > MAX_DEFINITION) {
      throw new ConfigError(
        'BAD_DEFINITION',
        `definition ${path} is longer than ${MAX_DEFINITION / 1024} KiB`,
      );
    }
    return buffer.toString('utf8', 0, length);
  } finally {
    closeSync(fd);
  }
}

/**
 * The cfgstring a definition file holds. Its first line is the cfgstring or the beginning of one; each further
 * line is one more option, `name=value`. Empty lines and those that start with `#` are passed over.
 * @param name the file's name in `directory`: letters, digits, `.`, `_` and `-`
 * @throws ConfigError
 */
export function readDefinition(name: string, directory: string = DEFAULT_DEFINITIONS): string {
  if (!/^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(name)) {
    throw new ConfigError(
      'BAD_DEFINITION',
      `'@${name}' names no definition: after @ come letters, digits, '.', '_' or '-', not '.' first`,
    );
  }
  const path = join(directory, name);
  let text: string;
  try {
    text = readBounded(path);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' ? `there is no file ${path}` : message;
    throw new ConfigError('BAD_DEFINITION', `definition '@${name}' cannot be read: ${reason}`, {
      cause: error,
    });
  }
  const [first, ...options] = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (first === undefined) throw new ConfigError('BAD_DEFINITION', `definition ${path} is empty`);
  if (first.startsWith('@')) {
    throw new ConfigError('BAD_DEFINITION', `definition ${path} refers to another one (${first})`);
  }
  const separator = first.includes('?') ? '&' : '?';
  const rest = options.map((line) => line.replace(/^[?&]/, '')).join('&');
  return rest === '' ? first : `${first}${separator}${rest}`;
}
