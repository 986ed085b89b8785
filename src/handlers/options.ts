import * as z from 'zod';
import { parseSize } from './size-text.js';

/*
 * Types for a handler's options. A cfgstring is text, so each takes the text a user writes and gives the value
 * a handler wants; a value of the right type passes through, for callers in TypeScript.
 */

/** An option that takes text or the value itself. */
export type Option<Output> = z.ZodType<Output, string | Output>;

function fromText<Output>(
  label: string,
  parse: (text: string) => Output,
  typed: z.ZodType<Output>,
): Option<Output> {
  return z
    .union([z.string(), typed])
    .transform((value, context): Output => {
      if (typeof value !== 'string') return value;
      try {
        return parse(value);
      } catch (error) {
        context.addIssue({ code: 'custom', message: (error as Error).message });
        return z.NEVER;
      }
    })
    .meta({ label }) as unknown as Option<Output>;
}

/** A size in bytes: `512M`. */
export const size = (): Option<number> =>
  fromText('size', parseSize, z.int().nonnegative() as z.ZodType<number>);

/** On or off: `1`, `true`, `yes`, `on`, or nothing after the name; `0`, `false`, `no`, `off`. */
export const flag = (): Option<boolean> =>
  fromText(
    'flag',
    (text) => {
      if (['', '1', 'true', 'yes', 'on'].includes(text)) return true;
      if (['0', 'false', 'no', 'off'].includes(text)) return false;
      throw new RangeError(`'${text}' is neither on (1, true, yes, on) nor off (0, false, no, off)`);
    },
    z.boolean() as z.ZodType<boolean>,
  );

/** A whole number. */
export const integer = (): Option<number> =>
  fromText(
    'number',
    (text) => {
      if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(Number(text))) {
        throw new RangeError(`'${text}' is not a whole number`);
      }
      return Number(text);
    },
    z.int() as z.ZodType<number>,
  );

/** Text, such as a path. */
export const text = (): z.ZodString => z.string().meta({ label: 'text' });

/** The option `block_size`, as all built-in handlers have it. */
export const blockSize = (): Option<number> =>
  size().refine((bytes) => bytes >= 512 && bytes <= 65536 && Number.isInteger(Math.log2(bytes)), {
    message: 'must be a power of two from 512 to 64K',
  });
