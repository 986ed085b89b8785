import type { DiskMaker } from '../../handlers/contract.js';
import { fileDisks } from '../../handlers/file/disk.js';
import { memoryDisks } from '../../handlers/memory/disk.js';
import { nullDisks } from '../../handlers/null/disk.js';
import { HandlerRegistry } from '../../handlers/registry.js';
import type { HandlerSource } from './protocol.js';

/**
 * What opens disks in a host that needs no handlers but those that come with Lunette. Their configurations the daemon
 * reads: what those are read with would be a quarter of what the host has to load.
 */
export function builtInDisks({ prefix }: HandlerSource): HandlerRegistry<DiskMaker> {
  const registry = new HandlerRegistry<DiskMaker>({ prefix });
  for (const disks of [memoryDisks, fileDisks, nullDisks] as DiskMaker[]) registry.addBuiltIn(disks);
  return registry;
}
