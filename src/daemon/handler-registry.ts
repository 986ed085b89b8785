import { file } from '../handlers/file/index.js';
import { loadHandlers } from '../handlers/load.js';
import { memory } from '../handlers/memory/index.js';
import { nullHandler } from '../handlers/null/index.js';
import { HandlerRegistry } from '../handlers/registry.js';

/**
 * The built-in handlers and those of `modules` (files or packages), in one registry.
 * @param prefix put before each name in a device's subtype
 */
export async function handlerRegistry(
  modules: readonly string[] = [],
  prefix?: string,
): Promise<HandlerRegistry> {
  const registry = new HandlerRegistry({ prefix });
  for (const handler of [memory, file, nullHandler]) registry.addBuiltIn(handler);
  for (const specifier of modules) {
    for (const handler of await loadHandlers(specifier)) registry.add(handler, specifier);
  }
  return registry;
}
