import type { Nexus } from './command.js';
import { opcode } from './opcode.js';
import type { Unit } from './unit.js';

/** The commands a copy stands for (SPC-4 5.17.2): the CDBs have no fields on which an answer depends. */
const equivalent = {
  read: Uint8Array.of(opcode.read16, ...new Array<number>(15).fill(0)),
  write: Uint8Array.of(opcode.write16, ...new Array<number>(15).fill(0)),
} as const;

/**
 * Whether a copy asked for over `nexus` may read or write a unit, which need not be the one that got the command:
 * what a READ or WRITE over the same nexus would be checked for.
 * @throws SenseError or StatusError as that command would end with
 */
export function checkCopyAccess(unit: Unit, nexus: Nexus, kind: 'read' | 'write'): void {
  const cdb = equivalent[kind];
  const definition = unit.commands.find(cdb[0], 0);
  if (!definition) return;
  if (unit.reservations.active) unit.reservations.check(definition, cdb, nexus);
  if (!unit.medium.ready) unit.medium.access(true);
  if (unit.background.blocking) unit.background.check(definition);
}
