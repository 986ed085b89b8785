import type { Disk } from '../handlers/contract.js';

/** Properties that whoever exports a disk may set over what its handler says. */
export type DiskProperties = Pick<Disk, 'readOnly' | 'physicalBlockSize'>;

/** `disk` with some of its properties replaced; everything else, its changing size too, stays its own. */
export function withProperties(disk: Disk, properties: DiskProperties): Disk {
  return new Proxy(disk, {
    get(target, key): unknown {
      const replaced = (properties as Record<PropertyKey, unknown>)[key];
      if (replaced !== undefined) return replaced;
      const value: unknown = Reflect.get(target, key);
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
    },
  });
}
