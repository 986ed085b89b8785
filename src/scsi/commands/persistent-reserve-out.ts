import { readUint16, readUint32 } from '../big-endian.js';
import type { CommandDefinition, Result } from '../command-definition.js';
import type { Nexus, ScsiCommand } from '../command.js';
import { isPromise, takeDataOut } from '../data-transfer.js';
import {
  invalidFieldInCdb,
  invalidFieldInParameterList,
  parameterListLengthError,
} from '../invalid-field.js';
import { serviceAction } from '../opcode.js';
import {
  clear,
  preempt,
  register,
  registerAndMove,
  release,
  reserve,
  type MoveRequest,
  type Outcome,
  type ReservationRequest,
} from '../persistent-reservations.js';
import type { ReservationKey, ReservationState } from '../reservation-state.js';
import { identify, identityOf, isPortTransportId, LONGEST_TRANSPORT_ID } from '../transport-id.js';
import type { NexusIdentity } from '../transport-id.js';
import type { Unit } from '../unit.js';

/** Length of the basic parameter list; REGISTER AND MOVE has a TransportID after as many bytes. */
const LIST = 24;

type Change = (state: ReservationState, sender: NexusIdentity) => Outcome;

function keyAt(list: Uint8Array, at: number): ReservationKey {
  return Array.from(list.subarray(at, at + 8), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function checkPersistence(unit: Unit, nexus: Nexus, byte: number): void {
  if (!unit.reservations.canPersist) {
    throw invalidFieldInParameterList(byte, 'reservations are not kept through a loss of power', 0);
  }
  if (!identify(nexus).lasting) {
    throw invalidFieldInParameterList(byte, 'the initiator has no TransportID to be recognised by', 0);
  }
}

/** Whether a service action is one of the two that register, whose flags count. */
function registers(action: number): boolean {
  return action === serviceAction.register || action === serviceAction.registerAndIgnoreExistingKey;
}

/** The basic parameter list (SPC-4 6.16.3). */
function basicRequest(unit: Unit, command: ScsiCommand, action: number, nexus: Nexus): ReservationRequest {
  const { cdb } = command;
  const length = readUint32(cdb, 5);
  const list = length === LIST ? takeDataOut(command, LIST) : undefined;
  // SPEC_I_PT makes the list longer, and is what is wrong with it then.
  const flags = registers(action) ? (list ?? peekFlags(command, length)) : undefined;
  if (flags && (flags[20] & 0x08) !== 0) {
    throw invalidFieldInParameterList(20, 'SPEC_I_PT is not supported (SIP_C 0)', 3);
  }
  if (!list) throw parameterListLengthError(`the parameter list has ${LIST} bytes, not ${length}`);
  const persistent = registers(action) && (list[20] & 0x01) !== 0;
  if (persistent) checkPersistence(unit, nexus, 20);
  return {
    key: keyAt(list, 0),
    serviceActionKey: keyAt(list, 8),
    type: cdb[2] & 0x0f,
    allPorts: (list[20] & 0x04) !== 0,
    persistent,
  };
}

function peekFlags(command: ScsiCommand, length: number): Uint8Array | undefined {
  return length > LIST && command.dataOut.byteLength >= LIST ? takeDataOut(command, LIST) : undefined;
}

/** Whether the unit is reached through a target port, so far as it knows its ports. */
function hasPort({ portGroups }: Unit, port: number, own: NexusIdentity): boolean {
  if (port === 0 || own.port === 0) return port === own.port;
  return portGroups === undefined || portGroups.ports.some(({ relativeId }) => relativeId === port);
}

/** The parameter list of REGISTER AND MOVE (SPC-4 6.16.4). */
function moveRequest(unit: Unit, command: ScsiCommand, nexus: Nexus): MoveRequest {
  const length = readUint32(command.cdb, 5);
  if (length <= LIST || length > LIST + LONGEST_TRANSPORT_ID) {
    throw parameterListLengthError(`REGISTER AND MOVE has a TransportID after ${LIST} bytes`);
  }
  const list = takeDataOut(command, length);
  if (readUint32(list, 20) !== length - LIST) {
    throw parameterListLengthError('the TransportID is longer or shorter than the list');
  }
  const transportId = list.slice(LIST);
  if (!isPortTransportId(transportId)) {
    throw invalidFieldInParameterList(LIST, 'this is no TransportID of an initiator port');
  }
  const own = identify(nexus);
  const port = readUint16(list, 18);
  if (own.lasting && (own.transportId[0] & 0x0f) !== (transportId[0] & 0x0f)) {
    throw invalidFieldInParameterList(LIST, 'the TransportID is one of another protocol', 3);
  }
  if (!hasPort(unit, port, own)) {
    throw invalidFieldInParameterList(18, `there is no target port ${port}`);
  }
  const persistent = (list[17] & 0x01) !== 0;
  if (persistent) checkPersistence(unit, nexus, 17);
  return {
    key: keyAt(list, 0),
    serviceActionKey: keyAt(list, 8),
    persistent,
    unregister: (list[17] & 0x02) !== 0,
    destination: identityOf(transportId, port),
  };
}

const basicActions = new Map<
  number,
  (state: ReservationState, sender: NexusIdentity, request: ReservationRequest) => Outcome
>([
  [serviceAction.register, (state, sender, request) => register(state, sender, request, false)],
  [
    serviceAction.registerAndIgnoreExistingKey,
    (state, sender, request) => register(state, sender, request, true),
  ],
  [serviceAction.reserve, reserve],
  [serviceAction.release, release],
  [serviceAction.clear, clear],
  [serviceAction.preempt, preempt],
  [serviceAction.preemptAndAbort, preempt],
]);

/** Service actions for which SCOPE and TYPE mean something (SPC-4 table 216). */
const scoped: ReadonlySet<number> = new Set([
  serviceAction.reserve,
  serviceAction.release,
  serviceAction.preempt,
  serviceAction.preemptAndAbort,
]);

/** The commands of those whose registrations were preempted end (SPC-4 5.13.11.5). */
async function abortPreempted(unit: Unit, { preempted = [] }: Outcome, nexus: Nexus): Promise<void> {
  const ids = new Set(preempted);
  const { done } = unit.tasks.abort(
    (_command, from) => {
      if (from === nexus) return false;
      const { id, idOnAllPorts } = identify(from);
      return ids.has(id) || ids.has(idOnAllPorts);
    },
    { reason: 'aborted by PREEMPT AND ABORT', by: nexus, reported: unit.modes.taskAbortedStatus },
  );
  await done;
}

/** PERSISTENT RESERVE OUT (SPC-4 6.16). */
export function persistentReserveOut(
  unit: Unit,
  command: ScsiCommand,
  definition: CommandDefinition,
  nexus: Nexus,
): Result {
  const { reservations } = unit;
  reservations.checkNotReserved();
  const action = definition.serviceAction!;
  if (scoped.has(action) && command.cdb[2] >> 4 !== 0) {
    throw invalidFieldInCdb(2, 'the scope is a logical unit', 7);
  }
  let change: Change;
  if (action === serviceAction.registerAndMove) {
    const request = moveRequest(unit, command, nexus);
    change = (state, sender) => registerAndMove(state, sender, request);
  } else {
    const request = basicRequest(unit, command, action, nexus);
    const act = basicActions.get(action)!;
    change = (state, sender) => act(state, sender, request);
  }
  const outcome = reservations.change(nexus, change);
  if (action === serviceAction.preemptAndAbort) {
    if (isPromise(outcome)) return outcome.then((done) => abortPreempted(unit, done, nexus));
    if (unit.tasks.size > 0) return abortPreempted(unit, outcome, nexus);
  }
  return isPromise(outcome) ? outcome.then(() => undefined) : undefined;
}
