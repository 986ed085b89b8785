import { readUint16, writeUint16 } from '../big-endian.js';
import { deviceType, type CommandDefinition, type Result } from '../command-definition.js';
import type { Nexus, ScsiCommand } from '../command.js';
import { fillDataIn } from '../data-transfer.js';
import { isIscsiName } from '../designators.js';
import { invalidFieldInCdb } from '../invalid-field.js';
import { padded } from '../text.js';
import type { Unit } from '../unit.js';
import { vitalProductData } from './vital-product-data.js';

/** Version descriptors (SPC-4 table 144): what this unit claims to conform to. */
const conformsTo = { sam5: 0x00a0, spc4: 0x0460, sbc3: 0x04c0 } as const;
const ISCSI = 0x0960;

/** TPGS: access states are changed by SET TARGET PORT GROUPS and by the target itself. */
const IMPLICIT_AND_EXPLICIT = 0x30;

function standardData({ identity, medium, portGroups }: Unit, { port }: Nexus): Uint8Array {
  const data = new Uint8Array(96);
  data[0] = deviceType.directAccess;
  data[1] = medium.removable ? 0x80 : 0; // RMB
  data[2] = 0x06; // SPC-4
  data[3] = 0x02; // response data format
  data[4] = data.length - 5;
  if (portGroups) data[5] = IMPLICIT_AND_EXPLICIT;
  data[5] |= 0x08; // 3PC: third-party copy
  if (portGroups && portGroups.ports.length > 1) data[6] = 0x10; // MULTIP
  data[7] = 0x02; // CMDQUE: the SAM task management model
  data.set(padded(identity.vendor, 8), 8);
  data.set(padded(identity.product, 16), 16);
  data.set(padded(identity.revision, 4), 32);
  const standards: number[] = Object.values(conformsTo);
  if (port && isIscsiName(port.name)) standards.push(ISCSI);
  standards.forEach((version, index) => writeUint16(data, 58 + 2 * index, version));
  return data;
}

/** INQUIRY (SPC-4 6.6). */
export function inquiry(
  unit: Unit,
  command: ScsiCommand,
  _definition: CommandDefinition,
  nexus: Nexus,
): Result {
  const { cdb } = command;
  const allocationLength = readUint16(cdb, 3);
  if ((cdb[1] & 0x02) !== 0) throw invalidFieldInCdb(1, 'CMDDT is obsolete', 1);
  if ((cdb[1] & 0x01) !== 0) {
    const data = vitalProductData(unit, cdb[2], nexus);
    if (!data) throw invalidFieldInCdb(2, `no VPD page ${cdb[2].toString(16)}h`);
    return fillDataIn(command, data, allocationLength);
  }
  if (cdb[2] !== 0) throw invalidFieldInCdb(2, 'a page code needs EVPD');
  return fillDataIn(command, standardData(unit, nexus), allocationLength);
}
