import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { commandTable } from '../src/scsi/command-table.js';

/*
 * `npm run docs`: writes docs/scsi-commands.md from the command table. A test compares the two.
 */

const page = fileURLToPath(new URL('../docs/scsi-commands.md', import.meta.url));

const hex = (value: number): string => `${value.toString(16).padStart(2, '0').toUpperCase()}h`;

/** docs/scsi-commands.md as it should be. */
export async function commandPage(): Promise<string> {
  const rows = commandTable.map(({ opcode, serviceAction, name, direction, usage, available, reference }) => {
    const code = serviceAction === undefined ? hex(opcode) : `${hex(opcode)}/${hex(serviceAction)}`;
    const condition = available ? 'where the disk can' : 'always';
    return `| ${name} | ${code} | ${usage.length} | ${direction} | ${condition} | ${reference} |`;
  });
  const text = [
    '# SCSI commands',
    '',
    'Made from `src/scsi/command-table.ts` by `npm run docs`. Everything else ends with ILLEGAL REQUEST, INVALID COMMAND OPERATION CODE (5/20/00); handlers may add operation codes of their own.',
    '',
    '| command | opcode | CDB bytes | data | present | standard |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
  return format(text, { ...(await resolveConfig(page)), filepath: page });
}

/** docs/scsi-commands.md as it is. */
export function writtenPage(): string {
  return readFileSync(page, 'utf8');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(page, await commandPage());
