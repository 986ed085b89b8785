// HOT PATH: `ready` is looked at by each command that needs the medium.
import type { Nexus } from './command.js';
import { additionalSense, senseKey, SenseError } from './sense.js';

/** Power conditions of a direct access block device (SPC-4 5.12), `stopped` by START STOP UNIT only. */
export type PowerCondition = 'active' | 'idle' | 'standby' | 'stopped';

/** Additional sense codes that tell of a low power condition, entered by a command (SPC-4 5.12.8). */
const lowPower = {
  idle: additionalSense.idleConditionActivatedByCommand,
  standby: additionalSense.standbyConditionActivatedByCommand,
} as const;

/** The medium of a logical unit: whether it is there, turns, and may be taken out. */
export class Medium {
  /** False where `access` has something to do or to refuse. */
  ready = true;
  /** Cycles since power on, for the start-stop cycle counter log page. */
  starts = 0;
  loads = 0;
  #loaded = true;
  #power: PowerCondition = 'active';
  readonly #preventing = new Set<Nexus>();

  /** @param removable it can be ejected and loaded (RMB of INQUIRY) */
  constructor(readonly removable: boolean) {}

  get loaded(): boolean {
    return this.#loaded;
  }

  get power(): PowerCondition {
    return this.#power;
  }

  set power(power: PowerCondition) {
    if (this.#power === 'stopped' && power !== 'stopped') this.starts++;
    this.#power = power;
    this.#update();
  }

  /** Some initiator does not want it to be taken out. */
  get removalPrevented(): boolean {
    return this.#preventing.size > 0;
  }

  /** PREVENT ALLOW MEDIUM REMOVAL: each nexus by itself (SPC-4 6.18). */
  prevent(nexus: Nexus, prevented: boolean): void {
    if (prevented) this.#preventing.add(nexus);
    else this.#preventing.delete(nexus);
  }

  /** What no nexus can take back any more: at a reset, or at the loss of one nexus. */
  allowRemoval(nexus?: Nexus): void {
    if (nexus) this.#preventing.delete(nexus);
    else this.#preventing.clear();
  }

  /** Take it out. Nothing happens where it is out. */
  eject(): void {
    this.#loaded = false;
    this.#update();
  }

  /** Put it in. @returns whether it was out */
  load(): boolean {
    const wasOut = !this.#loaded;
    if (wasOut) this.loads++;
    this.#loaded = true;
    this.#update();
    return wasOut;
  }

  /**
   * A command needs the medium: wakes it.
   * @param wakes false for TEST UNIT READY, which only asks
   * @throws SenseError where it is out, or was stopped
   */
  access(wakes: boolean): void {
    if (!this.#loaded) {
      throw new SenseError(senseKey.notReady, additionalSense.mediumNotPresent, 'the medium was ejected');
    }
    if (this.#power === 'stopped') {
      throw new SenseError(
        senseKey.notReady,
        additionalSense.logicalUnitNotReadyInitializingCommandRequired,
        'the unit was stopped',
      );
    }
    if (wakes) this.power = 'active';
  }

  /** What REQUEST SENSE tells of it: `asc << 8 | ascq`. */
  get condition(): number | undefined {
    return this.#power === 'idle' || this.#power === 'standby' ? lowPower[this.#power] : undefined;
  }

  #update(): void {
    this.ready = this.#loaded && this.#power === 'active';
  }
}
