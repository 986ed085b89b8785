import process from 'node:process';
import { fileURLToPath, URL } from 'node:url';

/** The folder of this checkout. */
export const checkout = fileURLToPath(new URL('../../', import.meta.url));

/** @param {string} text */
export const say = (text) => process.stdout.write(`${text}\n`);
