import { readUint16, writeUint16, writeUint24, writeUint32, writeUint64 } from '../big-endian.js';
import type { CommandDefinition, Result } from '../command-definition.js';
import type { ScsiCommand } from '../command.js';
import { fillDataIn } from '../data-transfer.js';
import { invalidFieldInCdb } from '../invalid-field.js';
import { modePage, modeSubpage, type ModePage } from '../mode-pages.js';
import { opcode } from '../opcode.js';
import { additionalSense, senseKey, SenseError } from '../sense.js';
import { isReadOnly, type Unit } from '../unit.js';

/** PAGE CONTROL (SPC-4 table 169). */
const pageControl = { current: 0, changeable: 1, defaults: 2, saved: 3 } as const;

/** Device-specific parameter (SBC-3 6.5.1): WP and DPOFUA. */
function deviceSpecific(unit: Unit): number {
  const protectedFromWrites = isReadOnly(unit.disk) || unit.modes.softwareWriteProtect;
  return (protectedFromWrites ? 0x80 : 0) | 0x10;
}

/** The short (8 bytes) or long LBA (16 bytes) mode parameter block descriptor (SBC-3 6.5.2). */
function blockDescriptor({ blocks, blockSize }: Unit, long: boolean): Uint8Array {
  const data = new Uint8Array(long ? 16 : 8);
  if (long) {
    writeUint64(data, 0, blocks);
    writeUint32(data, 12, blockSize);
  } else {
    writeUint32(data, 0, Math.min(blocks, 0xffff_ffff));
    writeUint24(data, 5, blockSize);
  }
  return data;
}

function valuesOf(page: ModePage, control: number, savable: boolean): Uint8Array {
  const source =
    control === pageControl.current
      ? page.current
      : control === pageControl.defaults
        ? page.defaults
        : control === pageControl.saved
          ? page.saved
          : page.changeable;
  const values = source.slice();
  values.set(page.current.subarray(0, page.headerLength));
  if (savable) values[0] |= 0x80; // PS
  return values;
}

/** The pages that are asked for (SPC-4 table 170). */
function selectPages({ modes }: Unit, cdb: Uint8Array): readonly ModePage[] {
  const code = cdb[2] & 0x3f;
  const subpage = cdb[3];
  const pages = modes.pages.filter((page) => code === modePage.all || code === page.code);
  if (pages.length === 0) throw invalidFieldInCdb(2, `no mode page ${code.toString(16)}h`, 5);
  if (subpage === modeSubpage.all) return pages;
  const selected = pages.filter((page) => page.subpage === subpage);
  if (selected.length === 0 || (code === modePage.all && subpage !== 0)) {
    throw invalidFieldInCdb(3, `no mode subpage ${subpage.toString(16)}h`);
  }
  return selected;
}

/** MODE SENSE(6), (10) (SPC-4 6.11, 6.12). */
export function modeSense(unit: Unit, command: ScsiCommand, definition: CommandDefinition): Result {
  const { cdb } = command;
  const six = definition.opcode === opcode.modeSense6;
  const control = cdb[2] >> 6;
  if (control === pageControl.saved && !unit.modes.savable) {
    throw new SenseError(
      senseKey.illegalRequest,
      additionalSense.savingParametersNotSupported,
      'mode parameters are not saved',
    );
  }
  const pages = selectPages(unit, cdb).map((page) => valuesOf(page, control, unit.modes.savable));
  const long = !six && (cdb[1] & 0x10) !== 0;
  const descriptor = (cdb[1] & 0x08) === 0 ? blockDescriptor(unit, long) : new Uint8Array();
  const header = new Uint8Array(six ? 4 : 8);
  const length = header.length + descriptor.length + pages.reduce((sum, page) => sum + page.length, 0);
  if (six) {
    header[0] = length - 1;
    header[2] = deviceSpecific(unit);
    header[3] = descriptor.length;
  } else {
    writeUint16(header, 0, length - 2);
    header[3] = deviceSpecific(unit);
    header[4] = long && descriptor.length > 0 ? 0x01 : 0; // LONGLBA
    writeUint16(header, 6, descriptor.length);
  }
  const data = Uint8Array.from([header, descriptor, ...pages].flatMap((part) => [...part]));
  return fillDataIn(command, data, six ? cdb[4] : readUint16(cdb, 7));
}
