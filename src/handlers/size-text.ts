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
