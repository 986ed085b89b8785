import { createServer, isIPv6, type AddressInfo, type Server, type Socket } from 'node:net';
import type { TargetPort } from '../scsi/command.js';

/** Where a target listens. */
export interface PortalOptions {
  /** An address of this machine, or a name of one. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** RELATIVE TARGET PORT IDENTIFIER and portal group tag. Default: its place in the list, from 1. */
  readonly relativeId?: number;
  /** Target port group for ALUA (SPC-4 5.15). Default 1. */
  readonly group?: number;
}

export interface PortalAddress {
  readonly host: string;
  readonly port: number;
}

const wildcards = new Set(['0.0.0.0', '::']);

/** A network portal (RFC 7143 4.2.5.1) in a portal group of its own: one SCSI target port of each target. */
export class Portal {
  readonly relativeId: number;
  readonly #group: number;
  readonly #server: Server;
  readonly #ports = new Map<string, TargetPort>();
  readonly #host: string;

  private constructor(options: PortalOptions, place: number, server: Server) {
    this.relativeId = options.relativeId ?? place;
    this.#group = options.group ?? 1;
    this.#host = options.host;
    this.#server = server;
  }

  /**
   * @param connected told of each connection
   * @param failed told of a connection that could not be taken
   * @throws the error of listen(2)
   */
  static async open(
    options: PortalOptions,
    place: number,
    connected: (socket: Socket, portal: Portal) => void,
    failed: (error: Error) => void,
  ): Promise<Portal> {
    const server = createServer({ noDelay: true });
    const portal = new Portal(options, place, server);
    server.on('connection', (socket) => connected(socket, portal));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: options.host, port: options.port }, () => {
        server.off('error', reject);
        resolve();
      });
    });
    // accept(2) fails where there are no descriptors left; those who are connected go on.
    server.on('error', failed);
    return portal;
  }

  /** Where it listens; the port is the real one. */
  get address(): PortalAddress {
    const info = this.#server.address() as AddressInfo | null;
    return { host: info?.address ?? this.#host, port: info?.port ?? 0 };
  }

  /**
   * TargetAddress (RFC 7143 13.8).
   * @param local address by which the initiator that asks came; for a portal on all addresses
   */
  targetAddress(local: string | undefined): string {
    const { host, port } = this.address;
    let shown = wildcards.has(host) ? (local ?? host) : host;
    if (shown.startsWith('::ffff:') && shown.includes('.')) shown = shown.slice(7);
    return `${isIPv6(shown) ? `[${shown}]` : shown}:${port},${this.relativeId}`;
  }

  /** The SCSI target port of a target behind this portal: the same object for each session. */
  targetPort(targetName: string): TargetPort {
    const known = this.#ports.get(targetName);
    if (known) return known;
    const tag = this.relativeId.toString(16).padStart(4, '0');
    const port: TargetPort = {
      relativeId: this.relativeId,
      group: this.#group,
      name: `${targetName},t,0x${tag}`,
    };
    this.#ports.set(targetName, port);
    return port;
  }

  forget(targetName: string): void {
    this.#ports.delete(targetName);
  }

  /** Take no more connections. Those that are open stay. */
  close(): void {
    this.#server.close();
  }
}
