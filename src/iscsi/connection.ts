// HOT PATH: the data listener runs for every chunk an initiator sends.
import type { Socket } from 'node:net';
import { readUint16, readUint32, writeUint16, writeUint24, writeUint32 } from '../scsi/big-endian.js';
import type { BufferPool } from './buffer-pool.js';
import { LoginNegotiator, loginStatus, type LoginAnswer, type LoginOutcome } from './login.js';
import type { LoginEnvironment } from './login.js';
import {
  asynchronousEvent,
  BHS_LENGTH,
  FINAL,
  paddedLength,
  pduOpcode,
  rejectReason,
  RESERVED_TAG,
} from './pdu.js';
import { PduOutput } from './pdu-output.js';
import { FramingError, PduReader, type PduSink } from './pdu-reader.js';
import { Session, type RequestHandlers, type SessionLimits, type SessionTerms } from './session.js';
import { manageTasks } from './task-management.js';
import { TextRequests, type DiscoveredTarget } from './text-request.js';

/** Where the target writes what an administrator should read. A pino logger is one. */
export interface IscsiLog {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
}

/** Times in milliseconds. */
export interface ConnectionTimes {
  /** From connect to the end of login. */
  readonly login: number;
  /** A connection that is silent for so long is pinged. */
  readonly pingAfter: number;
  /** One that then stays silent for so long, or takes nothing, is closed. */
  readonly pingTimeout: number;
}

/** What of a session its connection does not know itself. */
export type SessionGrant = Pick<SessionTerms, 'target' | 'nexus' | 'tsih'>;

/** What a connection asks of the target it belongs to. */
export interface ConnectionHost {
  readonly log: IscsiLog;
  readonly times: ConnectionTimes;
  readonly limits: SessionLimits;
  readonly pool: BufferPool;
  readonly environment: LoginEnvironment;
  /**
   * A login succeeded: end the session it replaces, then `begin` the new one.
   * @returns the session, or one of `loginStatus`
   */
  admit(outcome: LoginOutcome, begin: (grant: SessionGrant) => Session): Promise<Session | number>;
  /** All targets, with their addresses as this connection's initiator reaches them. */
  discover(localAddress: string | undefined): DiscoveredTarget[];
  closed(connection: Connection): void;
}

/** Data segments of login requests (RFC 7143 13.12). */
const LOGIN_DATA = 8192;
/** Milliseconds a peer has to close its side after a logout. */
const LINGER = 5000;

/** Status class and detail with which a login ends where the target itself fails. */
const TARGET_ERROR = 0x0300;

function describeFault(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** One TCP connection: login, then the full feature phase of a session. */
export class Connection implements PduSink {
  readonly peer: string;
  /** Once the login is over. */
  session: Session | undefined;
  /** Settles when the connection is closed. */
  readonly ended: Promise<void>;
  #settle!: () => void;
  readonly #socket: Socket;
  readonly #host: ConnectionHost;
  readonly #output: PduOutput;
  readonly #reader: PduReader;
  readonly #login: LoginNegotiator;
  readonly #begun = Date.now();
  #statSn = 0;
  #loginPdus = 0;
  /** The login's last request is being looked at; nothing may follow it. */
  #admitting = false;
  #lastReceived = this.#begun;
  #pinged = 0;
  #backlog = 0;
  #backlogSince = 0;
  #ending = 0;
  #closed = false;

  constructor(socket: Socket, host: ConnectionHost) {
    this.#socket = socket;
    this.ended = new Promise((resolve) => (this.#settle = resolve));
    this.#host = host;
    this.peer = `${socket.remoteAddress ?? '?'}:${socket.remotePort ?? 0}`;
    this.#output = new PduOutput(socket, host.pool, (charge) => this.session?.uncharge(charge));
    this.#reader = new PduReader(this, LOGIN_DATA);
    this.#login = new LoginNegotiator(host.environment);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 30_000);
    socket.on('data', (chunk: Buffer) => this.#received(chunk));
    socket.on('drain', () => socket.resume());
    socket.on('error', (error) => this.close(error.message));
    socket.on('end', () => this.close('the initiator closed the connection'));
    socket.on('close', () => this.close('the connection is closed'));
  }

  #received(chunk: Buffer): void {
    const { session } = this;
    this.#lastReceived = Date.now();
    this.#pinged = 0;
    session?.writer.beginTurn();
    try {
      if (!this.#closed && this.#ending === 0) this.#reader.feed(chunk);
    } catch (error) {
      // Whatever it is, it is this connection's: the others go on.
      this.#abandon(error instanceof FramingError ? error.message : describeFault(error));
    } finally {
      session?.writer.endTurn();
    }
    // What it does not take, it must not go on asking for.
    if (this.#output.backlog > this.#host.limits.memory) this.#socket.pause();
  }

  pdu(bytes: Buffer, at: number, ahsLength: number, dataStart: number, dataLength: number): boolean {
    if (this.session) this.session.receive(bytes, at, ahsLength, dataStart, dataLength);
    else this.#loginPdu(bytes, at, bytes.subarray(dataStart, dataStart + dataLength));
    return !this.#closed && this.#ending === 0;
  }

  /** At error recovery level 0 a PDU that is lost is not asked for again: the session is (RFC 7143 7.8). */
  damagedPdu(bytes: Buffer, at: number): boolean {
    this.session?.writer.reject(rejectReason.dataDigestError, bytes, at);
    this.disconnect('a data digest is wrong');
    return false;
  }

  #loginPdu(bytes: Buffer, at: number, data: Buffer): void {
    if ((bytes[at] & 0x3f) !== pduOpcode.loginRequest)
      return this.#abandon('something else than a login came first');
    if (this.#admitting) return this.#abandon('a request came before the login was answered');
    if (this.#loginPdus++ === 0) this.#statSn = readUint32(bytes, at + 28);
    const flags = bytes[at + 1];
    const answer = this.#login.step({
      transit: (flags & 0x80) !== 0,
      continues: (flags & 0x40) !== 0,
      currentStage: (flags >> 2) & 3,
      nextStage: flags & 3,
      versionMin: bytes[at + 3],
      isid: bytes.subarray(at + 8, at + 14),
      tsih: readUint16(bytes, at + 14),
      cid: readUint16(bytes, at + 20),
      text: data,
    });
    if (!answer.outcome) return this.#answerLogin(bytes, at, answer, 0, undefined);
    this.#admitting = true;
    this.#admit(bytes, at, answer, answer.outcome).catch((error: unknown) => {
      this.#host.log.warn(`iSCSI login from ${this.peer} failed: ${String(error)}`);
      this.#answerLogin(bytes, at, { ...answer, status: TARGET_ERROR }, 0, undefined);
    });
  }

  async #admit(bytes: Buffer, at: number, answer: LoginAnswer, outcome: LoginOutcome): Promise<void> {
    const session = await this.#host.admit(outcome, (grant) => this.#begin(bytes, at, outcome, grant));
    if (typeof session === 'number') {
      const reason = 'the session cannot be joined';
      return this.#answerLogin(bytes, at, { ...answer, status: session, reason }, 0, undefined);
    }
    this.session = session;
    if (this.#closed) return this.#endSession();
    this.#answerLogin(bytes, at, answer, session.terms.tsih, session);
    this.#reader.maxDataLength = this.#host.environment.preferences.maxRecvDataSegmentLength;
    this.#reader.headerDigest = outcome.parameters.headerDigest === 'CRC32C';
    this.#reader.dataDigest = outcome.parameters.dataDigest === 'CRC32C';
    this.#host.log.info(
      `iSCSI session of ${outcome.initiatorName} at ${this.peer}: ${outcome.targetName ?? 'discovery'}`,
    );
  }

  #begin(bytes: Buffer, at: number, outcome: LoginOutcome, grant: SessionGrant): Session {
    return new Session(
      {
        ...grant,
        initiatorName: outcome.initiatorName,
        isid: outcome.isid,
        cid: outcome.cid,
        parameters: outcome.parameters,
        limits: this.#host.limits,
        output: this.#output,
        pool: this.#host.pool,
        cmdSn: readUint32(bytes, at + 24),
        statSn: this.#statSn,
        disconnect: (reason) => this.disconnect(reason),
      },
      this.#handlers(),
    );
  }

  #handlers(): RequestHandlers {
    const { log, environment } = this.#host;
    const discover = (): DiscoveredTarget[] => this.#host.discover(this.#socket.localAddress);
    const requests = new TextRequests(environment.preferences, discover);
    return {
      text: (session, bytes, at, data) => requests.handle(session, bytes, at, data),
      taskManagement: (session, bytes, at) => {
        void manageTasks(session, bytes, at, (message) => log.warn(message));
      },
      logout: (session, bytes, at) => this.#logout(session, bytes, at),
    };
  }

  /** A Login Response (RFC 7143 11.13). A failure closes the connection. */
  #answerLogin(
    bytes: Buffer,
    at: number,
    answer: LoginAnswer,
    tsih: number,
    session: Session | undefined,
  ): void {
    const { status, transit, currentStage, nextStage, text } = answer;
    const failed = status !== loginStatus.success;
    const length = failed ? 0 : text.length;
    const pdu = Buffer.alloc(BHS_LENGTH + paddedLength(length));
    pdu[0] = pduOpcode.loginResponse;
    pdu[1] = (transit && !failed ? 0x80 : 0) | (currentStage << 2) | (failed ? 0 : nextStage);
    writeUint24(pdu, 5, length);
    bytes.copy(pdu, 8, at + 8, at + 14);
    writeUint16(pdu, 14, tsih === 0 ? readUint16(bytes, at + 14) : tsih);
    bytes.copy(pdu, 16, at + 16, at + 20);
    writeUint32(pdu, 24, this.#statSn);
    const cmdSn = readUint32(bytes, at + 24);
    writeUint32(pdu, 28, session?.window.expected ?? cmdSn);
    writeUint32(pdu, 32, session?.window.max ?? cmdSn);
    writeUint16(pdu, 36, status);
    if (!failed) pdu.set(text, BHS_LENGTH);
    this.#statSn = (this.#statSn + 1) >>> 0;
    this.#output.push(pdu);
    this.#output.flush();
    if (!failed) return;
    const who = this.#login.initiatorName === '' ? '' : ` of ${this.#login.initiatorName}`;
    this.#host.log.warn(`iSCSI login${who} at ${this.peer} refused: ${answer.reason ?? status.toString(16)}`);
    this.#end();
  }

  /** Logout (RFC 7143 11.14). */
  #logout(session: Session, bytes: Buffer, at: number): void {
    const reason = bytes[at + 1] & 0x7f;
    const response = session.writer.response(pduOpcode.logoutResponse, FINAL, readUint32(bytes, at + 16));
    if (reason === 2) response[2] = 2;
    else if (reason === 1 && readUint16(bytes, at + 20) !== session.terms.cid) response[2] = 1;
    session.writer.send(response);
    session.writer.flushSoon();
    if (response[2] !== 0) return;
    this.#host.log.info(`iSCSI session of ${session.terms.initiatorName} at ${this.peer} logged out`);
    this.#end();
  }

  /** Ask the initiator to log out (RFC 7143 11.9.1). @param seconds it has for that */
  requestLogout(seconds: number): void {
    const { session } = this;
    if (!session || session.closed) return this.close('the target is closed');
    const pdu = session.writer.response(pduOpcode.asynchronousMessage, FINAL, RESERVED_TAG);
    pdu[36] = asynchronousEvent.logoutRequested;
    writeUint16(pdu, 42, seconds);
    session.writer.send(pdu);
    session.writer.flushSoon();
  }

  /** Called every second or so. @param now milliseconds */
  tick(now: number): void {
    const { login, pingAfter, pingTimeout } = this.#host.times;
    if (this.#ending !== 0) {
      if (now - this.#ending > LINGER) this.close('the initiator does not close the connection');
      return;
    }
    if (!this.session) {
      if (now - this.#begun > login) this.#abandon('the login takes too long');
      return;
    }
    const { backlog } = this.#output;
    if (backlog !== this.#backlog) {
      this.#backlog = backlog;
      this.#backlogSince = now;
    } else if (backlog > 0 && now - this.#backlogSince > pingAfter + pingTimeout) {
      return this.#abandon('the initiator takes no data');
    }
    if (this.#socket.isPaused()) return;
    if (!this.session.terms.target) {
      // NOP-In has no place in a discovery session (RFC 7143 4.3): it has its time, and that is all.
      if (now - this.#lastReceived > pingAfter + pingTimeout) this.#abandon('a discovery that asks nothing');
      return;
    }
    if (this.#pinged !== 0) {
      if (now - this.#pinged > pingTimeout) this.#abandon('the initiator does not answer');
    } else if (now - this.#lastReceived > pingAfter) {
      this.#pinged = now;
      this.session.writer.sendNopIn(this.session.nextTag());
      this.session.writer.flushSoon();
    }
  }

  /** Send what is queued, then close. */
  disconnect(reason: string): void {
    if (this.#closed || this.#ending !== 0) return;
    this.#host.log.warn(`iSCSI connection from ${this.peer} closed: ${reason}`);
    this.#end();
  }

  #end(): void {
    if (this.#closed || this.#ending !== 0) return;
    this.#ending = Date.now();
    this.#output.flush();
    this.#endSession();
    this.#socket.end();
    // The rest of what it sends is read and thrown away, so that its end is seen.
    this.#socket.resume();
  }

  /** Close at once: the other side does not keep to the protocol, or is gone. */
  #abandon(reason: string): void {
    if (!this.#closed) this.#host.log.warn(`iSCSI connection from ${this.peer} dropped: ${reason}`);
    this.close(reason);
  }

  #endSession(): void {
    this.session?.close().catch((error: unknown) => {
      this.#host.log.warn(`ending a session failed: ${String(error)}`);
    });
  }

  /** Close at once. */
  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#host.log.debug(`iSCSI connection from ${this.peer} closed: ${reason}`);
    this.#endSession();
    this.#socket.destroy();
    this.#host.closed(this);
    this.#settle();
  }
}
