/*
 * A disk with SCSI commands of its own: one counts what the disk was asked for, one fills the disk.
 *
 *   lunette serve --handler ./examples/vendor-command.ts
 *   targetcli /backstores/user:counted create name=counted1 size=64M cfgstring=
 *
 * and once it is a disk of this machine, /dev/sdX:
 *
 *   sg_raw -r 16 /dev/sdX c0 00 00 00 00 00 00 00 10 00      the counters, 16 bytes
 *   sg_raw /dev/sdX c1 00 e5 00 00 00 00 00 00 00            fill the disk with E5h
 *   sg_opcodes /dev/sdX                                      both are listed
 */
import { SenseError, additionalSense, defineHandler, senseKey } from 'lunette';
import { z } from 'zod';

/** READ COUNTERS: bytes 7 and 8 are the allocation length. Data-In: reads, then writes, 8 bytes each, big-endian. */
const READ_COUNTERS = 0xc0;
/** FILL: byte 2 is the value. */
const FILL = 0xc1;

export const counted = defineHandler({
  name: 'counted',
  description: 'A disk in memory that counts its commands and can be filled by one',
  config: z.object({}),
  open(_config, { size = 64 * 2 ** 20 }) {
    const bytes = new Uint8Array(size);
    let reads = 0;
    let writes = 0;

    function readCounters(cdb: Uint8Array, dataIn: Uint8Array): number {
      const answer = new DataView(new ArrayBuffer(16));
      answer.setBigUint64(0, BigInt(reads));
      answer.setBigUint64(8, BigInt(writes));
      const length = Math.min(16, (cdb[7] << 8) | cdb[8], dataIn.length);
      dataIn.set(new Uint8Array(answer.buffer, 0, length));
      return length;
    }

    return {
      size,
      read(buffer, offset) {
        reads++;
        buffer.set(bytes.subarray(offset, offset + buffer.length));
      },
      write(buffer, offset) {
        writes++;
        bytes.set(buffer, offset);
      },
      // Group 7 CDBs have ten bytes. A bit of the usage map is set where a bit of the CDB is read.
      vendorCommands: [
        {
          opcode: READ_COUNTERS,
          name: 'READ COUNTERS',
          usage: [0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0],
          direction: 'in',
        },
        { opcode: FILL, name: 'FILL', usage: [0xff, 0, 0xff, 0, 0, 0, 0, 0, 0, 0], direction: 'none' },
      ],
      command(cdb, _dataOut, dataIn) {
        switch (cdb[0]) {
          case READ_COUNTERS:
            return readCounters(cdb, dataIn);
          case FILL:
            bytes.fill(cdb[2]);
            return 0;
          default:
            throw new SenseError(
              senseKey.illegalRequest,
              additionalSense.invalidCommandOperationCode,
              'the logical unit sends only what vendorCommands has',
            );
        }
      },
    };
  },
});
