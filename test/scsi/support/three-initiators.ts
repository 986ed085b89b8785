import { expect } from 'chai';
import { LogicalUnit } from '../../../src/scsi/logical-unit.js';
import { TestDisk } from './disk.js';
import { Initiator, key } from './initiator.js';

/** Reservation keys; the first three are those of the initiators, once they have registered. */
export const [A, B, C, D] = [key(0xa), key(0xb), key(0xc), key(0xd)];

/** A unit with three initiators, and what is reserved of it. */
export class ThreeInitiators {
  readonly unit = new LogicalUnit(new TestDisk());
  readonly a = new Initiator(this.unit, 'iqn.test:a');
  readonly b = new Initiator(this.unit, 'iqn.test:b');
  readonly c = new Initiator(this.unit, 'iqn.test:c');

  /** The keys that are registered. */
  readonly keys = (): string[] =>
    Array.from(this.unit.reservations.state.registrations.values(), (one) => one.key);

  readonly generation = (): number => this.unit.reservations.state.generation;

  /** The type of the reservation that is held. */
  readonly reserved = (): number | undefined => this.unit.reservations.state.reservation?.type;

  async registerAll(): Promise<void> {
    for (const [initiator, serviceActionKey] of [
      [this.a, A] as const,
      [this.b, B] as const,
      [this.c, C] as const,
    ]) {
      expect(await initiator.out('register', { serviceActionKey })).to.equal('good');
    }
  }
}
