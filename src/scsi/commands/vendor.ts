import { deviceType, type CommandDefinition, type Result } from '../command-definition.js';
import type { ScsiCommand } from '../command.js';
import { fillDataIn, isPromise, takeDataOut } from '../data-transfer.js';
import type { Disk, VendorCommand } from '../disk.js';
import type { Unit } from '../unit.js';

/** Hand the CDB to the handler, with buffers in one piece. */
function execute(unit: Unit, command: ScsiCommand, definition: CommandDefinition): Result {
  const { context, dataIn, dataOut } = command;
  context.fua = context.dpo = false;
  const out = definition.direction === 'out' ? takeDataOut(command, dataOut.byteLength) : new Uint8Array();
  const into = new Uint8Array(definition.direction === 'in' ? dataIn.byteLength : 0);
  const fill = (valid: number): number | undefined => {
    // Data-In may be the same memory as Data-Out: it is not touched by a command that has none.
    if (definition.direction !== 'in') return undefined;
    if (!Number.isInteger(valid) || valid < 0 || valid > into.length) {
      // Not a SenseError: it is the handler's fault, so it is logged.
      throw new Error(`the handler said that ${valid} of ${into.length} bytes of Data-In are valid`);
    }
    return fillDataIn(command, into, valid);
  };
  const cdb = command.cdb.slice(0, definition.usage.length);
  const valid = unit.disk.command!(cdb, out, into, context);
  return isPromise(valid) ? Promise.resolve(valid).then(fill) : fill(valid);
}

function define({ opcode, name, usage, direction }: VendorCommand): CommandDefinition {
  if (!Number.isInteger(opcode) || opcode < 0 || opcode > 0xff || usage.length < 6 || usage.length > 260) {
    throw new TypeError(
      `vendor command ${name}: an operation code of one byte and 6 to 260 CDB bytes are needed`,
    );
  }
  return {
    opcode,
    name,
    reference: 'vendor',
    deviceTypes: [deviceType.directAccess],
    usage: [opcode, ...usage.slice(1)],
    direction,
    activity: 'other',
    medium: true,
    reservation: 'write',
    ignoresUnitAttention: false,
    execute,
  };
}

/**
 * The commands of the handler's own.
 * @throws TypeError where the disk lists commands and cannot run them
 */
export function vendorCommands(disk: Disk): CommandDefinition[] {
  if (!disk.vendorCommands || disk.vendorCommands.length === 0) return [];
  if (!disk.command) throw new TypeError('the disk lists vendorCommands but has no `command` to run them');
  return disk.vendorCommands.map(define);
}
