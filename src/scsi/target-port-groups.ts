// HOT PATH: `allActive` is looked at for every command of a unit that has port groups.
import type { CommandDefinition } from './command-definition.js';
import type { Nexus, TargetPort } from './command.js';
import { opcode } from './opcode.js';
import { additionalSense, senseKey, SenseError } from './sense.js';

/** ASYMMETRIC ACCESS STATE (SPC-4 table 307). */
export const accessState = {
  activeOptimized: 0x0,
  activeNonOptimized: 0x1,
  standby: 0x2,
  unavailable: 0x3,
  transitioning: 0xf,
} as const;

export type AccessState = keyof typeof accessState;

/** What changed the state of a group last (SPC-4 table 309). */
export const changedBy = { nobody: 0, command: 1, device: 2 } as const;

export interface TargetPortGroup {
  /** TARGET PORT GROUP: 1 and up. */
  readonly id: number;
  readonly ports: readonly TargetPort[];
  readonly state: AccessState;
  /** PREF: the group the target would like to be used. */
  readonly preferred: boolean;
  /** One of `changedBy`. */
  readonly status: number;
}

type Group = { -readonly [Key in keyof TargetPortGroup]: TargetPortGroup[Key] } & { ports: TargetPort[] };

/** Commands that run in the standby state (SPC-4 5.15.2.4.4). */
const inStandby: ReadonlySet<number> = new Set([
  opcode.inquiry,
  opcode.logSelect,
  opcode.logSense,
  opcode.modeSelect6,
  opcode.modeSelect10,
  opcode.modeSense6,
  opcode.modeSense10,
  opcode.persistentReserveIn,
  opcode.persistentReserveOut,
  opcode.receiveDiagnosticResults,
  opcode.reportLuns,
  opcode.requestSense,
  opcode.sendDiagnostic,
  opcode.maintenanceIn,
  opcode.maintenanceOut,
]);

/** And in the unavailable and transitioning states (SPC-4 5.15.2.4.5, 5.15.2.5). */
const inUnavailable: ReadonlySet<number> = new Set([
  opcode.inquiry,
  opcode.reportLuns,
  opcode.requestSense,
  opcode.maintenanceIn,
  opcode.maintenanceOut,
]);

const refusal = {
  standby: additionalSense.targetPortInStandbyState,
  unavailable: additionalSense.targetPortInUnavailableState,
  transitioning: additionalSense.logicalUnitAsymmetricAccessStateTransition,
} as const;

/** Told of each change: the nexus that asked for it, if one did, needs no unit attention. */
export type AccessListener = (by: Nexus | undefined) => void;

/**
 * The target ports of a target and their groups, with an asymmetric access state each (SPC-4 5.15). One object is
 * shared by all logical units that are reached through the ports.
 */
export class TargetPortGroups {
  /** Each group is active: nothing has to be checked. */
  allActive = true;
  readonly #groups = new Map<number, Group>();
  readonly #listeners = new Set<AccessListener>();

  constructor(ports: Iterable<TargetPort> = []) {
    for (const port of ports) this.add(port);
  }

  /** In ascending order of their identifiers. */
  get groups(): TargetPortGroup[] {
    return [...this.#groups.values()].sort((a, b) => a.id - b.id);
  }

  /** All ports, in ascending order of their relative identifiers. */
  get ports(): TargetPort[] {
    return this.groups.flatMap(({ ports }) => ports).sort((a, b) => a.relativeId - b.relativeId);
  }

  /** A port appears. A new group is active/optimized. */
  add(port: TargetPort): void {
    const group = this.#groups.get(port.group) ?? {
      id: port.group,
      ports: [],
      state: 'activeOptimized',
      preferred: false,
      status: changedBy.nobody,
    };
    group.ports.push(port);
    this.#groups.set(group.id, group);
  }

  /** A port is gone; its group goes with the last one. */
  remove(port: TargetPort): void {
    const group = this.#groups.get(port.group);
    if (!group) return;
    group.ports = group.ports.filter((candidate) => candidate !== port);
    if (group.ports.length === 0) this.#groups.delete(group.id);
    this.#update();
  }

  get(id: number): TargetPortGroup | undefined {
    return this.#groups.get(id);
  }

  /** @throws RangeError where there is no such group */
  prefer(id: number, preferred: boolean): void {
    this.#group(id).preferred = preferred;
  }

  /**
   * Change states; initiators learn of it by a unit attention.
   * @param by nexus whose SET TARGET PORT GROUPS it is; without one the target does it itself
   * @throws RangeError where there is no such group
   */
  set(states: ReadonlyMap<number, AccessState>, by?: Nexus): void {
    const changes = [...states].map(([id, state]) => ({ group: this.#group(id), state }));
    let changed = false;
    for (const { group, state } of changes) {
      if (group.state === state) continue;
      group.state = state;
      group.status = by ? changedBy.command : changedBy.device;
      changed = true;
    }
    if (!changed) return;
    this.#update();
    for (const listener of this.#listeners) listener(by);
  }

  /** @returns ends it */
  listen(listener: AccessListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** @throws SenseError where the state of the nexus's port group does not let the command run */
  check({ opcode: operationCode }: CommandDefinition, nexus: Nexus): void {
    const state = nexus.port && this.#groups.get(nexus.port.group)?.state;
    if (state === undefined || state === 'activeOptimized' || state === 'activeNonOptimized') return;
    if ((state === 'standby' ? inStandby : inUnavailable).has(operationCode)) return;
    throw new SenseError(senseKey.notReady, refusal[state], `the target port group is in state ${state}`);
  }

  #group(id: number): Group {
    const group = this.#groups.get(id);
    if (!group) throw new RangeError(`there is no target port group ${id}`);
    return group;
  }

  #update(): void {
    this.allActive = [...this.#groups.values()].every(({ state }) => state.startsWith('active'));
  }
}
