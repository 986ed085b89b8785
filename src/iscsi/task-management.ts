import { readUint32 } from '../scsi/big-endian.js';
import type { LogicalUnit } from '../scsi/logical-unit.js';
import { scsiStatus } from '../scsi/status.js';
import { decodeLun } from './lun.js';
import { FINAL, pduOpcode, taskManagementFunction, taskManagementResponse } from './pdu.js';
import type { Session } from './session.js';
import type { TargetNode } from './target-node.js';

/*
 * Task management functions (RFC 7143 11.5, SAM-5 7). What a logical unit runs it aborts itself; what waits for data
 * or memory is still the session's.
 */

/** One request, read out of its PDU. */
export interface TaskManagementRequest {
  readonly function: number;
  readonly lun: number;
  readonly itt: number;
  readonly referencedTaskTag: number;
  readonly cmdSn: number;
  readonly refCmdSn: number;
}

/**
 * End commands to a LUN that no logical unit has yet.
 * @param status with one, their initiator is told
 */
function dropUnstarted(session: Session, lun: number, status?: number): void {
  for (const task of [...session.tasks.values()]) {
    if (task.lun !== lun || (task.state !== 'collecting' && task.state !== 'waiting')) continue;
    session.drop(task, status);
  }
  if (status !== undefined) session.writer.flushSoon();
}

/** As dropUnstarted, in all sessions: those that did not ask for it are told. */
function dropEverywhere(by: Session, target: TargetNode, lun: number): void {
  for (const session of target.sessions) {
    dropUnstarted(session, lun, session === by ? undefined : scsiStatus.taskAborted);
  }
}

async function abortTask(session: Session, request: TaskManagementRequest): Promise<number> {
  const { complete, taskDoesNotExist } = taskManagementResponse;
  const task = session.tasks.get(request.referencedTaskTag);
  if (!task) return session.order.skip(request.refCmdSn, request.cmdSn) ? complete : taskDoesNotExist;
  if (task.lun !== request.lun) return taskDoesNotExist;
  if (task.state !== 'running') {
    session.drop(task);
    return complete;
  }
  task.silent = true;
  const unit = session.terms.target?.luns.get(task.lun);
  await unit?.abort(task);
  return complete;
}

function onUnit(
  session: Session,
  { function: code, lun }: TaskManagementRequest,
  unit: LogicalUnit,
  target: TargetNode,
): Promise<void> {
  const { nexus } = session.terms;
  if (code === taskManagementFunction.abortTaskSet) {
    dropUnstarted(session, lun);
    return unit.abortTaskSet(nexus);
  }
  dropEverywhere(session, target, lun);
  return code === taskManagementFunction.clearTaskSet ? unit.clearTaskSet(nexus) : unit.reset(nexus);
}

async function resetTarget(session: Session, target: TargetNode): Promise<void> {
  for (const lun of target.luns.keys()) dropEverywhere(session, target, lun);
  await Promise.all([...target.luns.values()].map((unit) => unit.reset(session.terms.nexus)));
}

async function run(session: Session, request: TaskManagementRequest): Promise<number> {
  const tmf = taskManagementFunction;
  const { complete, lunDoesNotExist, notSupported, reassignmentNotSupported } = taskManagementResponse;
  const target = session.terms.target!;
  switch (request.function) {
    case tmf.abortTask:
      return abortTask(session, request);
    case tmf.abortTaskSet:
    case tmf.clearTaskSet:
    case tmf.logicalUnitReset: {
      const unit = target.luns.get(request.lun);
      if (!unit) return lunDoesNotExist;
      await onUnit(session, request, unit, target);
      return complete;
    }
    case tmf.targetWarmReset:
    case tmf.targetColdReset:
      await resetTarget(session, target);
      return complete;
    case tmf.taskReassign:
      return reassignmentNotSupported;
    default:
      return notSupported;
  }
}

/**
 * Serve a Task Management Function Request; answered when the commands it aborts have ended.
 * @param log told of a failure that is no answer
 */
export async function manageTasks(
  session: Session,
  bytes: Buffer,
  at: number,
  log: (message: string) => void,
): Promise<void> {
  const request: TaskManagementRequest = {
    function: bytes[at + 1] & 0x7f,
    lun: decodeLun(bytes, at + 8),
    itt: readUint32(bytes, at + 16),
    referencedTaskTag: readUint32(bytes, at + 20),
    cmdSn: readUint32(bytes, at + 24),
    refCmdSn: readUint32(bytes, at + 32),
  };
  let answer: number;
  try {
    answer = await run(session, request);
  } catch (error) {
    log(`task management function ${request.function} failed: ${String(error)}`);
    answer = taskManagementResponse.rejected;
  }
  const response = session.writer.response(pduOpcode.taskManagementResponse, FINAL, request.itt);
  response[2] = answer;
  session.writer.send(response);
  session.writer.flushSoon();
  // A cold reset ends every connection of the target (RFC 7143 11.5.1).
  if (request.function !== taskManagementFunction.targetColdReset) return;
  const sessions = [...(session.terms.target?.sessions ?? [])];
  for (const each of sessions) each.terms.disconnect('the target was reset');
}
