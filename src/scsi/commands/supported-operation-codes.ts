import { readUint16, readUint32, writeUint16, writeUint32 } from '../big-endian.js';
import type { CommandDefinition, Result } from '../command-definition.js';
import type { ScsiCommand } from '../command.js';
import { fillDataIn } from '../data-transfer.js';
import { invalidFieldInCdb } from '../invalid-field.js';
import { opcode as operationCode } from '../opcode.js';
import type { Unit } from '../unit.js';

/** REPORTING OPTIONS (SPC-4 table 299). */
const reporting = { all: 0, byOpcode: 1, byServiceAction: 2, either: 3 } as const;

/** SUPPORT (SPC-4 table 303). */
const support = { notSupported: 1, asInStandard: 3 } as const;

const TIMEOUTS_DESCRIPTOR = 12;

/** A command timeouts descriptor that says nothing: how long a command takes is up to the handler. */
function timeouts(): number[] {
  return [0, TIMEOUTS_DESCRIPTOR - 2, ...new Array<number>(TIMEOUTS_DESCRIPTOR - 2).fill(0)];
}

function allCommands(definitions: readonly CommandDefinition[], withTimeouts: boolean): Uint8Array {
  const descriptors = definitions.flatMap(({ opcode, serviceAction, usage }) => {
    const descriptor = new Uint8Array(8);
    descriptor[0] = opcode;
    writeUint16(descriptor, 2, serviceAction ?? 0);
    descriptor[5] = (serviceAction === undefined ? 0 : 0x01) | (withTimeouts ? 0x02 : 0);
    writeUint16(descriptor, 6, usage.length);
    return withTimeouts ? [...descriptor, ...timeouts()] : [...descriptor];
  });
  const data = new Uint8Array(4 + descriptors.length);
  writeUint32(data, 0, descriptors.length);
  data.set(descriptors, 4);
  return data;
}

function oneCommand(definition: CommandDefinition | undefined, withTimeouts: boolean): Uint8Array {
  if (!definition) return Uint8Array.of(0, support.notSupported, 0, 0);
  const { usage } = definition;
  const flags = support.asInStandard | (withTimeouts ? 0x80 : 0);
  return Uint8Array.of(0, flags, 0, usage.length, ...usage, ...(withTimeouts ? timeouts() : []));
}

/** The command that bytes 2 to 5 of the CDB ask about. */
function requested({ commands }: Unit, cdb: Uint8Array, option: number): CommandDefinition | undefined {
  const opcode = cdb[3];
  const action = readUint16(cdb, 4);
  const hasActions = commands.hasServiceActions(opcode);
  if (option === reporting.byOpcode && hasActions) {
    throw invalidFieldInCdb(3, `operation code ${opcode.toString(16)}h has service actions`);
  }
  if (option === reporting.byServiceAction && hasActions === false) {
    throw invalidFieldInCdb(3, `operation code ${opcode.toString(16)}h has no service actions`);
  }
  const mostActions = opcode === operationCode.variableLength ? 0xffff : 0x1f;
  if (hasActions) return action > mostActions ? undefined : commands.find(opcode, action);
  return option === reporting.either && action !== 0 ? undefined : commands.find(opcode, 0);
}

/** REPORT SUPPORTED OPERATION CODES (SPC-4 6.35). */
export function reportSupportedOperationCodes(unit: Unit, command: ScsiCommand): Result {
  const { cdb } = command;
  const option = cdb[2] & 0x07;
  const withTimeouts = (cdb[2] & 0x80) !== 0;
  if (option > reporting.either) throw invalidFieldInCdb(2, 'this REPORTING OPTIONS is reserved', 2);
  const data =
    option === reporting.all
      ? allCommands(unit.commands.definitions, withTimeouts)
      : oneCommand(requested(unit, cdb, option), withTimeouts);
  return fillDataIn(command, data, readUint32(cdb, 6));
}
