import type { HandlerRegistry } from '../handlers/registry.js';
import type { IsolationSettings } from './host/device-hosts.js';
import type { IscsiSettings } from './iscsi-settings.js';
import type { Logger } from './log.js';
import type { DeviceSettings } from './open-device.js';

export interface DaemonOptions extends DeviceSettings {
  readonly registry: HandlerRegistry;
  readonly log: Logger;
  /** Offer the handlers to targetcli over the system bus. Default true. */
  readonly bus?: boolean;
  /** Serve the kernel's TCMU devices. Default true. */
  readonly tcmu?: boolean;
  /** Offer every disk over the embedded iSCSI target too. */
  readonly iscsi?: IscsiSettings;
  /** Disks for the embedded target alone: `HANDLER/CFGSTRING` each. */
  readonly exports?: readonly string[];
  /**
   * Let EXTENDED COPY and the token commands go between TCMU devices too. An initiator then reaches, through the
   * LUN it was given, every other LUN whose name it knows, whatever LIO's access lists say. Default false.
   */
  readonly copyBetweenLuns?: boolean;
  /** Serve devices in threads or processes of their own. Default: all in this thread. */
  readonly isolation?: IsolationSettings;
  /** A directory for what those disks must not forget. */
  readonly state?: string;
  /** Path of the Unix socket by which programs see and control the daemon. Default: there is none. */
  readonly control?: string;
  /** Have the daemon that runs hand its devices over, where there is one. */
  readonly takeOver?: boolean;
  /** How long stop() lets commands run before it aborts them, in milliseconds. Default 10 000. */
  readonly drainTimeout?: number;
}
