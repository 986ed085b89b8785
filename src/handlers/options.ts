import * as z from 'zod';

/*
 * Types for a handler's options. A cfgstring is text, so each takes the text a user writes and gives the value
 * a handler wants; a value of the right type passes through, for callers in TypeScript.
 */

const units: Record<string, number> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40, p: 2 ** 50 };

/**
 * Parse a size as people write it: `4096`, `512M`, `1G`, `10TiB`. Units are powers of 1024.
 * @returns bytes
 * @throws RangeError that says what is accepted
 */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgtp]?)(?:i?b)?$/i.exec(text.trim());
  const bytes = match ? Number(match[1]) * units[match[2].toLowerCase()] : NaN;
  if (!Number.isSafeInteger(bytes)) {
    throw new RangeError(
      `'${text}' is not a size: write bytes, or a number with K, M, G, T or P, such as 512M`,
    );
  }
  return bytes;
}

/** Bytes as people read them: `512 MiB`. */
export function formatSize(bytes: number): string {
  const names = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < names.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number(value.toFixed(2))} ${names[unit]}`;
}

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
