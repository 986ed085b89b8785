import { isIP } from 'node:net';

/** One address to listen at. */
export interface Portal {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
}

/** CHAP: what an initiator must know, and what it may ask of us in turn. */
export interface ChapSettings {
  readonly user: string;
  readonly password: string;
  readonly mutualUser?: string;
  readonly mutualPassword?: string;
}

export interface IscsiSettings {
  readonly portals: readonly Portal[];
  readonly auth?: ChapSettings;
}

/** What the command line says about the embedded iSCSI target. */
export interface IscsiOptions {
  /** `HOST[:PORT]` each. */
  readonly iscsi: readonly string[];
  /** `USER:PASSWORD` */
  readonly chap?: string;
  readonly mutualChap?: string;
  readonly allowAnyone?: boolean;
}

/** The port IANA gave iSCSI. */
const ISCSI_PORT = 3260;

/** Where the embedded target listens unless told otherwise: this machine only. */
export const DEFAULT_PORTAL = `127.0.0.1:${ISCSI_PORT}`;

/** @throws Error that names the option */
function parsePortal(text: string): Portal {
  const match = /^(?:\[([^\]]+)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? '';
  const port = Number(match?.[3] ?? ISCSI_PORT);
  if (!match || host === '' || port > 65535) {
    throw new Error(`--iscsi: '${text}' is not HOST:PORT, such as ${DEFAULT_PORTAL} or [::1]:${ISCSI_PORT}`);
  }
  return { host, port };
}

/** Whether only this machine can reach `host`. A name that is not `localhost` may be anything. */
function isLoopback(host: string): boolean {
  if (host === 'localhost') return true;
  return isIP(host) === 4 ? host.startsWith('127.') : host === '::1';
}

/** @throws Error that names the option */
function parseCredentials(option: string, text: string): { user: string; password: string } {
  const colon = text.indexOf(':');
  const [user, password] = [text.slice(0, colon), text.slice(colon + 1)];
  if (colon < 1 || password === '') throw new Error(`${option}: write USER:PASSWORD`);
  return { user, password };
}

/**
 * Check what the command line says.
 * @throws Error for a portal that others can reach where neither CHAP nor --allow-anyone was asked for
 */
export function iscsiSettings({ iscsi, chap, mutualChap, allowAnyone }: IscsiOptions): IscsiSettings {
  const portals = iscsi.map(parsePortal);
  if (mutualChap !== undefined && chap === undefined) {
    throw new Error('--mutual-chap: needs --chap: the initiator proves itself first');
  }
  const open = portals.find(({ host }) => !isLoopback(host));
  if (open && chap === undefined && !allowAnyone) {
    throw new Error(
      `--iscsi ${open.host}: other machines can reach this address: give --chap USER:PASSWORD, ` +
        'or --allow-anyone if everyone who can reach it may read and write',
    );
  }
  if (chap === undefined) return { portals };
  const { user, password } = parseCredentials('--chap', chap);
  if (mutualChap === undefined) return { portals, auth: { user, password } };
  const mutual = parseCredentials('--mutual-chap', mutualChap);
  if (mutual.password === password) {
    // RFC 7143 12.1.4: with one secret for both directions a challenge could be reflected.
    throw new Error('--mutual-chap: the two passwords must differ');
  }
  return { portals, auth: { user, password, mutualUser: mutual.user, mutualPassword: mutual.password } };
}

/** An iSCSI name for a logical unit of ours: what does not belong into one becomes `-`. */
export function iscsiName(name: string): string {
  return `iqn.2026-11.org.lunette:${name.toLowerCase().replace(/[^a-z0-9.:-]+/g, '-')}`;
}

/** The URL libiscsi, QEMU and their friends take. */
export function iscsiUrl({ host, port }: Portal, name: string, lun = 0): string {
  return `iscsi://${isIP(host) === 6 ? `[${host}]` : host}:${port}/${name}/${lun}`;
}
