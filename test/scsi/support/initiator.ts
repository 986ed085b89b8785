import { expect } from 'chai';
import * as cdb from '../../../src/scsi/cdb.js';
import type { ReserveParameters } from '../../../src/scsi/cdb-reservations.js';
import type { Nexus } from '../../../src/scsi/command.js';
import type { LogicalUnit } from '../../../src/scsi/logical-unit.js';
import type { Response } from '../../../src/scsi/memory-command.js';
import { serviceAction } from '../../../src/scsi/opcode.js';
import { scsiStatus } from '../../../src/scsi/status.js';
import { iscsiNexus } from './nexus.js';
import { run, senseOf } from './unit.js';

/** The end of a command in a word: `good`, `conflict`, or its sense as `5/24/00`. */
export function outcomeOf(response: Pick<Response, 'status' | 'sense'>): string {
  if (response.status === scsiStatus.good) return 'good';
  if (response.status === scsiStatus.reservationConflict) return 'conflict';
  return senseOf(response);
}

/** An initiator with a session to a unit, whose power-on unit attention it has seen. */
export class Initiator {
  readonly unit: LogicalUnit;
  nexus: Nexus;

  constructor(unit: LogicalUnit, nexus: string | Nexus) {
    this.unit = unit;
    this.nexus = typeof nexus === 'string' ? iscsiNexus(nexus) : nexus;
    unit.attentions.take(this.nexus);
  }

  /** The outcome of any command. */
  async does(bytes: Uint8Array, dataOut?: Uint8Array): Promise<string> {
    return outcomeOf(await run(this.unit, bytes, dataOut, { nexus: this.nexus }));
  }

  reads(): Promise<string> {
    return this.does(cdb.read10(0, 1));
  }

  writes(): Promise<string> {
    return this.does(cdb.write10(0, 1), new Uint8Array(512));
  }

  /** PERSISTENT RESERVE OUT. */
  out(
    action: Exclude<keyof typeof serviceAction, 'registerAndMove'>,
    parameters: ReserveParameters,
    type = 0,
  ): Promise<string> {
    return this.does(
      cdb.persistentReserveOut(serviceAction[action], type),
      cdb.persistentReserveParameters(parameters),
    );
  }

  /** PERSISTENT RESERVE IN. @returns its Data-In */
  async in(action: keyof typeof serviceAction, allocationLength?: number): Promise<Buffer> {
    const bytes = cdb.persistentReserveIn(serviceAction[action], allocationLength);
    const response = await run(this.unit, bytes, undefined, { nexus: this.nexus });
    expect(outcomeOf(response)).to.equal('good');
    return Buffer.from(response.dataIn);
  }

  /** Everything that TEST UNIT READY tells until it is good. */
  async told(): Promise<string[]> {
    const outcomes: string[] = [];
    for (;;) {
      const outcome = await this.does(cdb.testUnitReady());
      if (outcome === 'good') return outcomes;
      outcomes.push(outcome);
      if (outcomes.length > 20) throw new Error(`no end of unit attentions: ${outcomes.join(', ')}`);
    }
  }
}

/** A reservation key of 16 digits. */
export const key = (digits: number | string): string => digits.toString(16).padStart(16, '0');
