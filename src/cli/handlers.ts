import { handlerRegistry } from '../daemon/handler-registry.js';
import { describeOptions } from '../handlers/describe-options.js';
import { plainTable } from './table.js';

export interface HandlersOptions {
  handler: string[];
  json?: boolean;
}

/** `lunette handlers [NAME]`. */
export async function handlers(name: string | undefined, options: HandlersOptions): Promise<void> {
  const registry = await handlerRegistry(options.handler);
  if (name === undefined) {
    const rows = registry.list().map(({ subtype, handler }) => [subtype, handler.description]);
    if (options.json) {
      console.log(
        JSON.stringify(
          rows.map(([subtype, description]) => ({ name: subtype, description })),
          null,
          2,
        ),
      );
    } else {
      console.log(plainTable(['HANDLER', 'WHAT IT IS'], rows));
      console.log('\n`lunette handlers NAME` lists the options of one.');
    }
    return;
  }

  const handler = registry.find(name);
  const rows = describeOptions(handler);
  if (options.json) {
    console.log(JSON.stringify({ name, description: handler.description, options: rows }, null, 2));
    return;
  }
  console.log(`${name}: ${handler.description}\n`);
  console.log(
    `cfgstring: ${name}/${handler.positional ? handler.positional.toUpperCase() : ''}[?OPTION=VALUE[&...]]\n`,
  );
  if (rows.length === 0) {
    console.log('It has no options.');
    return;
  }
  console.log(
    plainTable(
      ['OPTION', 'TYPE', 'DEFAULT', 'MEANING'],
      rows.map((row) => [
        row.name + (row.positional ? ' (before ?)' : ''),
        row.type,
        row.required ? 'required' : (row.default ?? ''),
        row.description,
      ]),
    ),
  );
}
