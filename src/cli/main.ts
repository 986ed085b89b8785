#!/usr/bin/env node
import { writeSync } from 'node:fs';
import { version } from '../daemon/version.js';

/* The command `lunette`. Its version is told before the rest is loaded, which takes a third of such a run. */

const [, , ...args] = process.argv;
if (args.length === 1 && ['--version', '-V'].includes(args[0])) {
  // Not by process.stdout, which Node makes when it is first used.
  writeSync(1, `${version}\n`);
} else {
  const { runCommandLine } = await import('./program.js');
  await runCommandLine();
}
