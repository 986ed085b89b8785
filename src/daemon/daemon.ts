import type { Device } from '../device/device.js';
import { configure, parseDeviceConfig } from '../handlers/cfgstring.js';
import { configDescription, type HandlerRegistry } from '../handlers/registry.js';
import { native } from '../native/addon.js';
import { CopyManager } from '../scsi/copy-manager.js';
import type { LogicalUnit } from '../scsi/logical-unit.js';
import { ConfigfsDevice } from '../target/configfs.js';
import { KernelTarget, type DeviceChange, type TargetListener } from '../target/kernel-target.js';
import { TcmuService } from '../target/tcmu-service.js';
import type { TcmuDevice } from '../target/uio.js';
import { IscsiTarget } from '../iscsi/iscsi-target.js';
import { DiskExport } from './disk-export.js';
import { iscsiName, iscsiUrl, type IscsiSettings } from './iscsi-settings.js';
import type { Logger } from './log.js';
import { openDevice, type DeviceSettings } from './open-device.js';

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
  /** A directory for what those disks must not forget. */
  readonly state?: string;
  /** How long stop() lets commands run before it aborts them, in milliseconds. Default 10 000. */
  readonly drainTimeout?: number;
}

/** An error the kernel is told by its errno. */
function refusal(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

function nameOf(tcmu: TcmuDevice): string {
  return iscsiName(`${tcmu.hba}.${tcmu.name}`);
}

/** Serves every TCMU device of this host whose subtype names one of the registry's handlers. */
export class Daemon implements TargetListener {
  readonly #options: DaemonOptions;
  readonly #log: Logger;
  readonly #devices = new Map<string, Device>();
  #service: TcmuService | undefined;
  #target: KernelTarget | undefined;
  #iscsi: IscsiTarget | undefined;
  readonly #exports: DiskExport[] = [];
  /** What EXTENDED COPY and its kin may reach. */
  readonly #copies = new CopyManager();
  #stopping: Promise<void> | undefined;

  private constructor(options: DaemonOptions) {
    this.#options = options;
    this.#log = options.log;
  }

  /**
   * Take the bus name, then open the devices that exist, then follow the kernel.
   * @throws Error that says what is missing, where nothing could be served
   */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const daemon = new Daemon(options);
    try {
      if (options.iscsi) await daemon.#startIscsi(options.iscsi);
      if (options.tcmu ?? true) await daemon.#startTcmu();
    } catch (error) {
      await daemon.stop();
      throw error;
    }
    native().notify('READY=1');
    options.log.info({ devices: daemon.#devices.size, handlers: options.registry.names() }, 'ready');
    return daemon;
  }

  async #startTcmu(): Promise<void> {
    // The bus first: a second daemon is turned away before it touches a device.
    if (this.#options.bus ?? true) this.#service = await this.#offerHandlers();
    this.#target = await KernelTarget.start({
      listener: this,
      log: this.#log,
      answerForeign: () => this.#service?.role !== 'registered',
    });
  }

  async #startIscsi({ portals, auth }: IscsiSettings): Promise<void> {
    this.#iscsi = await IscsiTarget.start({ portals, auth, log: this.#log });
    const { registry, definitions, checkedBuffers, state, exports = [] } = this.#options;
    for (const [index, definition] of exports.entries()) {
      const opened = await DiskExport.open({
        definition,
        registry,
        definitions,
        checkedBuffers,
        state,
        log: this.#log,
        unit: { copyManager: this.#copies },
      });
      this.#exports.push(opened);
      const { subtype } = parseDeviceConfig(definition);
      for (const url of opened.offer(this.#iscsi, iscsiName(`${subtype}.${index}`))) {
        this.#log.info({ url }, 'exported');
      }
    }
  }

  #offerOverIscsi(name: string, unit: LogicalUnit): void {
    if (!this.#iscsi) return;
    this.#iscsi.add({ name, luns: new Map([[0, unit]]) });
    for (const address of this.#iscsi.addresses) this.#log.info({ url: iscsiUrl(address, name) }, 'exported');
  }

  /** Drain and close every device. Idempotent; never rejects. */
  stop(): Promise<void> {
    return (this.#stopping ??= this.#stop());
  }

  async #stop(): Promise<void> {
    native().notify('STOPPING=1');
    await this.#target?.close();
    await this.#iscsi?.close();
    await Promise.all([...this.#devices.values()].map((device) => device.close(this.#options.drainTimeout)));
    this.#devices.clear();
    await Promise.all(this.#exports.map((opened) => opened.close()));
    await this.#service?.close();
  }

  owns(tcmu: TcmuDevice): boolean {
    return this.#options.registry.get(tcmu.subtype) !== undefined;
  }

  async added(tcmu: TcmuDevice): Promise<void> {
    const configfs = new ConfigfsDevice(tcmu);
    const copyManager = this.#options.copyBetweenLuns ? this.#copies : undefined;
    const settings = { ...this.#options, copyManager };
    const device = await openDevice(tcmu, configfs, this.#options.registry, settings, this.#log);
    this.#devices.set(tcmu.uio, device);
    device.start();
    this.#offerOverIscsi(nameOf(tcmu), device.unit);
    this.#log.info(
      { device: device.name, handler: tcmu.subtype, size: device.disk.size },
      `${device.name}: serving ${tcmu.devConfig}`,
    );
  }

  async removed(tcmu: TcmuDevice): Promise<void> {
    const device = this.#devices.get(tcmu.uio);
    if (!device) return;
    this.#devices.delete(tcmu.uio);
    await this.#iscsi?.remove(nameOf(tcmu));
    await device.close(this.#options.drainTimeout);
    this.#log.info({ device: device.name }, `${device.name}: removed`);
  }

  async reconfigured(tcmu: TcmuDevice, change: DeviceChange): Promise<void> {
    const device = this.#devices.get(tcmu.uio);
    if (!device) throw refusal('ENODEV', `${tcmu.hba}/${tcmu.name} is not served here`);
    if (change.devConfig !== undefined) {
      throw refusal(
        'EOPNOTSUPP',
        'the configuration of a live device cannot be changed: delete it and create it anew',
      );
    }
    if (change.writeCache !== undefined) {
      throw refusal('EOPNOTSUPP', 'the write cache is the handler’s: it is set by its options, not by LIO');
    }
    if (change.size !== undefined) await device.resize(change.size);
  }

  /** @returns undefined where there is no bus to offer them on: the devices are served all the same */
  async #offerHandlers(): Promise<TcmuService | undefined> {
    const { registry, log, definitions } = this.#options;
    const handlers = registry.list().map(({ subtype, handler }) => ({
      subtype,
      description: configDescription(handler),
      checkConfig: async (devConfig: string): Promise<void> => {
        const config = configure(handler, parseDeviceConfig(devConfig).cfgstring, { definitions });
        await handler.check?.(config);
      },
    }));
    try {
      return await TcmuService.start({ handlers, log });
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'ALREADY_RUNNING') throw error;
      log.warn(`targetcli will not list the handlers: ${message}`);
      return undefined;
    }
  }
}
