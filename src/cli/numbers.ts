import { parseSize } from '../handlers/size-text.js';

/** An option's size. @returns bytes @throws Error that names the option */
export function sizeOption(name: string, value: string): number {
  try {
    return parseSize(value);
  } catch (error) {
    throw new Error(`${name}: ${(error as Error).message}`, { cause: error });
  }
}

/** An option's time in seconds. @returns milliseconds @throws Error that names the option */
export function secondsOption(name: string, value: string): number {
  const seconds = Number(value);
  if (value.trim() === '' || !(seconds >= 0 && seconds <= 86_400)) {
    throw new Error(`${name}: '${value}' is not a number of seconds from 0 to 86400`);
  }
  return seconds * 1000;
}
