import type { Socket } from 'node:net';
import { endsWithin } from '../device/patience.js';
import type { Nexus, TargetPort } from '../scsi/command.js';
import type { LogicalUnit } from '../scsi/logical-unit.js';
import { BufferPool } from './buffer-pool.js';
import type { ChapCredentials } from './chap.js';
import type { CommandObserver } from './command-observer.js';
import {
  Connection,
  type ConnectionHost,
  type ConnectionTimes,
  type IscsiLog,
  type SessionGrant,
} from './connection.js';
import { loginStatus, type LoginEnvironment, type LoginOutcome } from './login.js';
import { defaultPreferences, type TargetPreferences } from './negotiation.js';
import { Portal, type PortalAddress, type PortalOptions } from './portal.js';
import type { Session, SessionLimits } from './session.js';
import { TargetNode } from './target-node.js';
import { initiatorPortTransportId } from './transport-id.js';

export interface IscsiAuthentication extends ChapCredentials {
  /** Discovery sessions authenticate as well. Default true. */
  readonly discovery?: boolean;
}

export interface IscsiTargetOptions {
  /** At least one. */
  readonly portals: readonly PortalOptions[];
  readonly log?: IscsiLog;
  /** CHAP credentials; without them everybody who reaches a portal may log in. */
  readonly auth?: IscsiAuthentication;
  /** Connections at a time, those that log in included. Default 256. */
  readonly maxConnections?: number;
  /** Commands in flight in one session. Default 128. */
  readonly queueDepth?: number;
  /** Bytes of buffers in one session. Default 32 MiB. */
  readonly memoryPerSession?: number;
  /** Milliseconds. Defaults: login 15 s, ping after 30 s of silence, 30 s for its answer. */
  readonly times?: Partial<ConnectionTimes>;
  /** Milliseconds initiators have to log out when a target is removed or closed. Default 2000. */
  readonly logoutGrace?: number;
  /** What is proposed in login. */
  readonly preferences?: Partial<TargetPreferences>;
}

export interface TargetOptions {
  /** `iqn.…`, `eui.…` or `naa.…`; compared without regard to case. */
  readonly name: string;
  readonly luns: ReadonlyMap<number, LogicalUnit>;
  /** TargetAlias, for people. */
  readonly alias?: string;
  /** Told of the commands of its logical units, as they run. */
  readonly observer?: CommandObserver;
}

const MIB = 1024 * 1024;
const TICK = 1000;
/** How long the commands of a session that ends are waited for. */
const ABORT_TIMEOUT = 10_000;
/** RFC 7143 4.2.7. */
const namePattern = /^(iqn\.[a-z0-9.:_-]+|eui\.[0-9a-f]{16}|naa\.([0-9a-f]{16}|[0-9a-f]{32}))$/;

const silentLog: IscsiLog = { debug: () => undefined, info: () => undefined, warn: () => undefined };

function checkAuthentication({ user, password, mutualUser, mutualPassword }: ChapCredentials): void {
  if (user === '' || password === '') throw new RangeError('CHAP needs a user and a password');
  if ((mutualUser === undefined) !== (mutualPassword === undefined)) {
    throw new RangeError('mutual CHAP needs both a user and a password');
  }
  // RFC 7143 9.2.1: with one secret in both directions the target could be made to answer its own challenge.
  if (mutualPassword === password) throw new RangeError('the passwords of the two directions must differ');
}

/**
 * An iSCSI target node (RFC 7143) in this process: portals, and targets with logical units behind them.
 *
 * @example
 * const target = await IscsiTarget.start({ portals: [{ host: '127.0.0.1', port: 3260 }] });
 * target.add({ name: 'iqn.2024-01.org.example:disk', luns: new Map([[0, unit]]) });
 */
export class IscsiTarget {
  readonly #options: IscsiTargetOptions;
  readonly #log: IscsiLog;
  readonly #limits: SessionLimits;
  readonly #times: ConnectionTimes;
  readonly #preferences: TargetPreferences;
  readonly #pool = new BufferPool(64 * MIB);
  readonly #portals: Portal[] = [];
  readonly #targets = new Map<string, TargetNode>();
  readonly #connections = new Set<Connection>();
  readonly #timer: NodeJS.Timeout;
  #lastTsih = 0;
  #closing = false;

  private constructor(options: IscsiTargetOptions) {
    if (options.portals.length === 0) throw new RangeError('an iSCSI target needs a portal');
    if (options.auth) checkAuthentication(options.auth);
    this.#options = options;
    this.#log = options.log ?? silentLog;
    this.#limits = { queueDepth: options.queueDepth ?? 128, memory: options.memoryPerSession ?? 32 * MIB };
    this.#times = { login: 15_000, pingAfter: 30_000, pingTimeout: 30_000, ...options.times };
    this.#preferences = { ...defaultPreferences, ...options.preferences };
    const period = Math.min(TICK, this.#times.login, this.#times.pingAfter, this.#times.pingTimeout);
    this.#timer = setInterval(() => this.#tick(), period);
    this.#timer.unref();
  }

  /**
   * Listen on all portals.
   * @throws RangeError for no portals or credentials that are none, or the error of listen(2)
   */
  static async start(options: IscsiTargetOptions): Promise<IscsiTarget> {
    const target = new IscsiTarget(options);
    try {
      for (const [index, portal] of options.portals.entries()) {
        target.#portals.push(
          await Portal.open(
            portal,
            index + 1,
            (socket, from) => target.#connected(socket, from),
            (error) => target.#log.warn(`an iSCSI connection could not be taken: ${error.message}`),
          ),
        );
      }
    } catch (error) {
      await target.close();
      throw error;
    }
    return target;
  }

  /** Where the portals listen, in the order of the options. */
  get addresses(): PortalAddress[] {
    return this.#portals.map((portal) => portal.address);
  }

  /** The ports through which a target of this name is reached: one for each portal. */
  portsOf(name: string): TargetPort[] {
    return this.#portals.map((portal) => portal.targetPort(name.toLowerCase()));
  }

  /** Names of the targets. */
  get targets(): string[] {
    return [...this.#targets.keys()];
  }

  /** Sessions of all targets; discovery sessions are not counted. */
  get sessionCount(): number {
    let count = 0;
    for (const { sessions } of this.#targets.values()) count += sessions.size;
    return count;
  }

  /** Open connections, those that are logging in included. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /**
   * Offer a target.
   * @throws RangeError for a name that is none, or is taken, or a LUN that is not 0 to 16383
   */
  add({ name, luns, alias, observer }: TargetOptions): void {
    const lowerCase = name.toLowerCase();
    if (!namePattern.test(lowerCase) || name.length > 223) throw new RangeError(`${name} is no iSCSI name`);
    if (this.#targets.has(lowerCase)) throw new RangeError(`there is a target ${name} already`);
    for (const lun of luns.keys()) {
      if (!Number.isInteger(lun) || lun < 0 || lun > 16383) throw new RangeError(`${lun} is no LUN`);
    }
    this.#targets.set(lowerCase, new TargetNode(lowerCase, luns, alias, observer));
  }

  /** Take a target away: its initiators are asked to log out, and cut off when they do not. */
  async remove(name: string): Promise<void> {
    const target = this.#targets.get(name.toLowerCase());
    if (!target) return;
    this.#targets.delete(target.name);
    await this.#logOut((connection) => connection.session?.terms.target === target);
    for (const portal of this.#portals) portal.forget(target.name);
  }

  /** Stop listening, let initiators log out, close what is left. The logical units stay. */
  async close(): Promise<void> {
    this.#closing = true;
    for (const portal of this.#portals) portal.close();
    await this.#logOut(() => true);
    clearInterval(this.#timer);
  }

  async #logOut(concerns: (connection: Connection) => boolean): Promise<void> {
    const grace = this.#options.logoutGrace ?? 2000;
    const concerned = [...this.#connections].filter(concerns);
    if (concerned.length === 0) return;
    const sessions = concerned.map((connection) => connection.session);
    for (const connection of concerned) connection.requestLogout(Math.ceil(grace / 1000));
    await endsWithin(grace, Promise.all(concerned.map((connection) => connection.ended)));
    for (const connection of concerned) connection.close('the target is closed');
    await endsWithin(
      ABORT_TIMEOUT,
      Promise.all(sessions.map((session) => session?.ended ?? Promise.resolve())),
    );
  }

  #tick(): void {
    const now = Date.now();
    for (const connection of [...this.#connections]) connection.tick(now);
  }

  #connected(socket: Socket, portal: Portal): void {
    if (this.#closing || this.#connections.size >= (this.#options.maxConnections ?? 256)) {
      this.#log.warn(`iSCSI connection from ${socket.remoteAddress ?? '?'} refused: too many connections`);
      socket.destroy();
      return;
    }
    this.#connections.add(new Connection(socket, this.#hostOf(portal)));
  }

  #hostOf(portal: Portal): ConnectionHost {
    return {
      log: this.#log,
      times: this.#times,
      limits: this.#limits,
      pool: this.#pool,
      environment: this.#environmentOf(portal),
      admit: (outcome, begin) => this.#admit(outcome, portal, begin),
      discover: (local) =>
        [...this.#targets.keys()].map((name) => ({
          name,
          addresses: this.#portals.map((each) => each.targetAddress(local)),
        })),
      closed: (connection) => this.#connections.delete(connection),
    };
  }

  #environmentOf(portal: Portal): LoginEnvironment {
    return {
      portalGroupTag: portal.relativeId,
      preferences: this.#preferences,
      credentials: this.#options.auth,
      authenticateDiscovery: this.#options.auth?.discovery ?? true,
      hasTarget: (name) => this.#targets.has(name),
      alias: (name) => this.#targets.get(name)?.alias,
    };
  }

  /** Session reinstatement (RFC 7143 6.3.5): the same initiator port on the same portal group replaces its session. */
  async #admit(
    outcome: LoginOutcome,
    portal: Portal,
    begin: (grant: SessionGrant) => Session,
  ): Promise<Session | number> {
    const { initiatorName, isid, targetName, tsih, cid } = outcome;
    const target = targetName === undefined ? undefined : this.#targets.get(targetName);
    const port = target && portal.targetPort(target.name);
    const isSame = ({ terms }: Session): boolean =>
      terms.initiatorName === initiatorName &&
      terms.nexus.port === port &&
      Buffer.compare(terms.isid, isid) === 0;
    let joined = tsih === 0;
    for (;;) {
      const replaced = [...(target?.sessions ?? [])].find(isSame);
      if (!replaced) break;
      if (tsih !== 0 && replaced.terms.tsih === tsih) {
        // One connection a session: another is refused, the same one is taken up again.
        if (replaced.terms.cid !== cid) return loginStatus.tooManyConnections;
        joined = true;
      }
      if (!joined) return loginStatus.sessionDoesNotExist;
      replaced.terms.disconnect('its initiator logged in anew');
      await endsWithin(ABORT_TIMEOUT, replaced.ended);
    }
    if (!joined) return loginStatus.sessionDoesNotExist;
    if (targetName !== undefined && this.#targets.get(targetName) !== target)
      return loginStatus.targetRemoved;
    const nexus: Nexus = {
      name: initiatorName,
      transportId: initiatorPortTransportId(initiatorName, isid),
      port,
    };
    const session = begin({ target, nexus, tsih: tsih === 0 ? this.#nextTsih() : tsih });
    target?.sessions.add(session);
    return session;
  }

  #nextTsih(): number {
    const used = new Set<number>();
    for (const { sessions } of this.#targets.values()) {
      for (const session of sessions) used.add(session.terms.tsih);
    }
    do this.#lastTsih = (this.#lastTsih % 0xffff) + 1;
    while (used.has(this.#lastTsih));
    return this.#lastTsih;
  }
}
