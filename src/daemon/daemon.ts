import { join } from 'node:path';
import { OPEN_TIMEOUT } from '../device/disk-opener.js';
import type { ReplaceOptions } from '../device/reload.js';
import { parseDeviceConfig } from '../handlers/cfgstring.js';
import { native } from '../native/addon.js';
import { CopyManager } from '../scsi/copy-manager.js';
import type { LogicalUnit } from '../scsi/logical-unit.js';
import { KernelTarget, type DeviceChange, type TargetListener } from '../target/kernel-target.js';
import type { TcmuService } from '../target/tcmu-service.js';
import { scanUio, type TcmuDevice } from '../target/uio.js';
import type { IscsiTarget } from '../iscsi/iscsi-target.js';
import type { LogLevelName } from './control/schema.js';
import { ExportedDevice } from './control/exported-device.js';
import { ControlServer } from './control/server.js';
import type { ControlDevice, ControlTarget } from './control/target.js';
import type { DaemonOptions } from './daemon-options.js';
import { DiskExport } from './disk-export.js';
import type { DeviceHost } from './host/device-host.js';
import { DeviceHosts } from './host/device-hosts.js';
import { InProcessHost } from './host/in-process-host.js';
import { iscsiName, iscsiUrl, type IscsiSettings } from './iscsi-settings.js';
import { removeJournal, RUNTIME_DIRECTORY } from './journal-file.js';
import type { Logger } from './log.js';
import { Reloader, type ReloadOutcome } from './reload.js';
import { Succession } from './succession.js';
import { Predecessor, TakeOverServer, type TakeOverHost } from './take-over.js';
import { pingWatchdog } from './watchdog-ping.js';
import { version } from './version.js';

/** Milliseconds for all devices of a daemon that is taken over from; slow disks take their time. */
const TAKE_OVER_TIMEOUT = 600_000;

/** Milliseconds that devices wait for the hosts of all of them: those that nobody serves, and those of another. */
const START_PATIENCE = 10_000;
const TAKE_OVER_PATIENCE = 45_000;

/** An error the kernel is told by its errno. */
function refusal(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

function nameOf(tcmu: TcmuDevice): string {
  return iscsiName(`${tcmu.hba}.${tcmu.name}`);
}

/** Serves every TCMU device of this host whose subtype names one of the registry's handlers. */
export class Daemon implements TargetListener, ControlTarget, TakeOverHost {
  readonly version = version;
  readonly #options: DaemonOptions;
  readonly #log: Logger;
  readonly #devices = new Map<string, DeviceHost>();
  readonly #reloader: Reloader;
  readonly #hosts: DeviceHosts;
  #control: ControlServer | undefined;
  #service: TcmuService | undefined;
  #target: KernelTarget | undefined;
  #iscsi: IscsiTarget | undefined;
  readonly #exports: { disk: DiskExport; device: ExportedDevice }[] = [];
  /** What EXTENDED COPY and its kin may reach. */
  readonly #copies = new CopyManager();
  #endPings = (): void => undefined;
  #stopping: Promise<void> | undefined;
  #takeOver: TakeOverServer | undefined;
  /** While this daemon takes over. */
  #succession: Succession | undefined;
  /** Handed over, but what served them may not have ended. */
  readonly #released: DeviceHost[] = [];
  #leave!: () => void;
  /** Fulfilled when another process has taken over. */
  readonly replaced = new Promise<void>((resolve) => (this.#leave = resolve));

  private constructor(options: DaemonOptions) {
    this.#options = options;
    this.#log = options.log;
    const { registry, log, isolation, iscsi, copyBetweenLuns } = options;
    this.#reloader = new Reloader(registry, options, log);
    this.#hosts = new DeviceHosts({
      registry,
      settings: options,
      log,
      reloader: this.#reloader,
      copyManager: copyBetweenLuns ? this.#copies : undefined,
      isolation,
      together: iscsi ? 'the embedded iSCSI target' : copyBetweenLuns ? 'copies between LUNs' : undefined,
    });
  }

  /**
   * Take the bus name, then open the devices that exist, then follow the kernel.
   * @throws Error that says what is missing, where nothing could be served
   */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const daemon = new Daemon(options);
    const predecessor = options.takeOver ? await Predecessor.connect(daemon.#takeOverPath) : undefined;
    try {
      await predecessor?.withdraw();
      await daemon.#open(predecessor);
    } catch (error) {
      await daemon.stop();
      predecessor?.close();
      throw error;
    }
    predecessor?.done();
    native().notify('READY=1');
    daemon.#endPings = pingWatchdog();
    options.log.info({ devices: daemon.#devices.size, handlers: options.registry.names() }, 'ready');
    return daemon;
  }

  /** The bus and the control socket first: a second daemon is turned away before it touches a device. */
  async #open(predecessor?: Predecessor): Promise<void> {
    const { tcmu = true, bus = true, control, iscsi } = this.#options;
    if (tcmu) this.#stayOutOfReclaim();
    if (tcmu && bus) {
      // Loaded where it is wanted: the bus is a sixth of what a daemon without it has in memory.
      const { offerHandlers } = await import('./handler-offer.js');
      this.#service = await offerHandlers(this.#options);
    }
    if (control !== undefined) this.#control = await this.#listen(control);
    // All of them before the first device is opened, whose commands would leave them little time to load their code.
    if (tcmu) {
      const devices = scanUio().filter((device) => this.owns(device) && !this.#devices.has(device.uio));
      if (predecessor) await this.#hosts.prepareTakeOver(devices, TAKE_OVER_PATIENCE);
      else await this.#hosts.prepare(devices, START_PATIENCE);
    }
    if (predecessor) {
      await predecessor.handOver();
      this.#succession = new Succession(predecessor, this.#log);
    }
    if (iscsi) await this.#startIscsi(iscsi);
    if (tcmu) await this.#startTcmu();
    this.#succession = undefined;
    this.#hosts.trim();
    await this.#awaitSuccessor();
  }

  get #takeOverPath(): string {
    return join(this.#options.runtimeDirectory ?? RUNTIME_DIRECTORY, 'take-over.sock');
  }

  async #awaitSuccessor(): Promise<void> {
    try {
      this.#takeOver = await TakeOverServer.start(this.#takeOverPath, this, this.#log);
    } catch (error) {
      this.#log.warn(`no other daemon can take over from this one: ${(error as Error).message}`);
    }
  }

  /** Disks whose data is in this process would be empty in another. */
  refusal(): string | undefined {
    if (this.#stopping) return 'it is stopping';
    const disks = [...this.#devices.values(), ...this.#exports.map(({ device }) => device)];
    const held = disks.filter(({ holdsData }) => holdsData).map(({ name }) => name);
    return held.length === 0 ? undefined : `${held.join(', ')}: the data is in the memory of this process`;
  }

  /** A step of a take-over: nothing is offered any more, devices are served on. */
  async withdraw(): Promise<void> {
    await this.#control?.close();
    await this.#target?.close();
    await this.#service?.close();
    this.#control = this.#target = this.#service = undefined;
  }

  /** A step of a take-over: a device, or what is offered over iSCSI, is served no more. */
  async handOver(name?: string): Promise<number | undefined> {
    if (name === undefined) {
      await this.#closeIscsi();
      return undefined;
    }
    const found = [...this.#devices].find(([, device]) => device.name === name);
    if (!found) return undefined;
    const [uio, device] = found;
    this.#released.push(device);
    const since = await device.release(this.#options.drainTimeout);
    this.#devices.delete(uio);
    return since;
  }

  /** A take-over failed. */
  async goOn(): Promise<void> {
    await this.#closeIscsi();
    for (const device of this.#released.splice(0)) void device.close();
    await this.#open();
  }

  /** A take-over is done. What the new process did not ask for is closed. */
  left(successor: number): void {
    this.#log.info({ successor }, `process ${successor} has taken over`);
    native().notify(`MAINPID=${successor}`);
    void this.#closeDevices().then(this.#leave);
  }

  async #closeDevices(): Promise<void> {
    const devices = [...this.#devices.values()];
    await Promise.all(devices.map((device) => device.close(this.#options.drainTimeout)));
    this.#devices.clear();
  }

  async #closeIscsi(): Promise<void> {
    const exported = this.#exports.splice(0);
    for (const { device } of exported) device.close();
    await this.#iscsi?.close();
    this.#iscsi = undefined;
    await Promise.all(exported.map(({ disk }) => disk.close()));
  }

  /** A disk of ours that this machine itself uses must not wait for memory, or for pages of our own program. */
  #stayOutOfReclaim(): void {
    // Before there are hosts, which inherit it.
    if (!native().setIoFlusher()) {
      this.#log.warn(
        'not an IO_FLUSHER, for want of CAP_SYS_RESOURCE: a disk that this machine itself uses may hang when memory is short',
      );
    }
    if (!native().lockMemory()) {
      this.#log.warn(
        'the program is not locked in memory (LimitMEMLOCK=, CAP_IPC_LOCK): it must not lie on a disk served here',
      );
    }
  }

  async #startTcmu(): Promise<void> {
    this.#target = await KernelTarget.start({
      listener: this,
      log: this.#log,
      answerForeign: () => this.#service?.role !== 'registered',
      // Until the other one has handed over the last device.
      openTimeout: this.#succession && TAKE_OVER_TIMEOUT,
    });
  }

  async #startIscsi({ portals, auth }: IscsiSettings): Promise<void> {
    // Loaded where it is wanted: it is a tenth of what a daemon without it has in memory.
    const { IscsiTarget } = await import('../iscsi/iscsi-target.js');
    this.#iscsi = await IscsiTarget.start({ portals, auth, log: this.#log });
    const {
      registry,
      definitions,
      openTimeout = OPEN_TIMEOUT,
      checkedBuffers,
      state,
      exports = [],
    } = this.#options;
    for (const [index, definition] of exports.entries()) {
      const opened = await DiskExport.open({
        definition,
        registry,
        definitions,
        openTimeout,
        checkedBuffers,
        state,
        log: this.#log,
        unit: { copyManager: this.#copies },
      });
      const { subtype } = parseDeviceConfig(definition);
      const name = `${subtype}.${index}`;
      const device = new ExportedDevice(
        { name: `export/${name}`, handler: subtype, config: definition },
        opened,
      );
      this.#exports.push({ disk: opened, device });
      device.urls = opened.offer(this.#iscsi, iscsiName(name), device);
      for (const url of device.urls) this.#log.info({ url }, 'exported');
    }
  }

  #offerOverIscsi(name: string, unit: LogicalUnit | undefined): void {
    if (!this.#iscsi || !unit) return;
    this.#iscsi.add({ name, luns: new Map([[0, unit]]) });
    for (const address of this.#iscsi.addresses) this.#log.info({ url: iscsiUrl(address, name) }, 'exported');
  }

  /** Drain and close every device. Idempotent; never rejects. */
  stop(): Promise<void> {
    return (this.#stopping ??= this.#stop());
  }

  async #stop(): Promise<void> {
    native().notify('STOPPING=1');
    this.#takeOver?.close();
    await this.#control?.close();
    await this.#target?.close();
    await this.#closeIscsi();
    await this.#closeDevices();
    await this.#hosts.close();
    await this.#service?.close();
    this.#endPings();
  }

  /** The TCMU devices that are served, and the disks that the embedded target alone has. */
  devices(): readonly ControlDevice[] {
    return [...this.#devices.values(), ...this.#exports.map(({ device }) => device)];
  }

  get logLevel(): LogLevelName {
    return this.#log.level as LogLevelName;
  }

  set logLevel(level: LogLevelName) {
    this.#log.level = level;
    for (const device of this.#devices.values()) device.setLogLevel(level);
    this.#log.info({ level }, `log level set to ${level}`);
  }

  owns(tcmu: TcmuDevice): boolean {
    return this.#options.registry.get(tcmu.subtype) !== undefined;
  }

  async added(tcmu: TcmuDevice): Promise<void> {
    // Served on while another process failed to take over.
    const present = this.#devices.get(tcmu.uio);
    if (present?.name === `${tcmu.hba}/${tcmu.name}` && !present.isBroken) {
      return this.#offerOverIscsi(nameOf(tcmu), present.unit);
    }
    await present?.close(0);
    const open = (): Promise<DeviceHost> => this.#hosts.open(tcmu);
    const device = await (this.#succession?.take(`${tcmu.hba}/${tcmu.name}`, open) ?? open());
    this.#devices.set(tcmu.uio, device);
    this.#offerOverIscsi(nameOf(tcmu), device.unit);
    this.#log.info(
      { device: device.name, handler: tcmu.subtype, size: device.size, isolation: device.isolation },
      `${device.name}: serving ${tcmu.devConfig}`,
    );
  }

  async removed(tcmu: TcmuDevice): Promise<void> {
    // First: another device may have the name before this one is closed.
    removeJournal(this.#options.runtimeDirectory ?? RUNTIME_DIRECTORY, tcmu);
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
    if (change.devConfig !== undefined) await device.reconfigure(change.devConfig);
    if (change.writeCache !== undefined) await device.setWriteCache(change.writeCache);
    if (change.size !== undefined) await device.resize(change.size);
  }

  /**
   * Load the code of a device's handler anew, under I/O.
   * @param name HBA/NAME
   * @throws Error that says why the old code serves on
   */
  async reload(name: string): Promise<void> {
    const device = [...this.#devices.values()].find((one) => one.name === name);
    if (!device) throw new Error(`${name} is no TCMU device: only those can have their code loaded anew`);
    await device.reload();
    this.#hosts.renew();
    const origin = this.#options.registry.origin(device.tcmu.subtype);
    // What checks configurations is this thread's.
    if (origin !== undefined && device.isolation !== 'none') await this.#reloader.reloadModule(origin, []);
  }

  /**
   * Load a module of handlers anew and put it under every disk of theirs.
   * @param origin as it was given to handlerRegistry()
   * @throws ConfigError where the module cannot be loaded
   */
  async reloadModule(origin: string, options?: ReplaceOptions): Promise<ReloadOutcome[]> {
    const devices = [...this.#devices.values()];
    // Here first: a module that cannot be loaded is said once.
    const local = devices.flatMap((device) => (device instanceof InProcessHost ? [device.served] : []));
    const outcomes = await this.#reloader.reloadModule(origin, local, options);
    const apart = await Promise.all(
      devices
        .filter((device) => device.isolation !== 'none')
        .filter((device) => this.#options.registry.origin(device.tcmu.subtype) === origin)
        .map(async (device) =>
          device
            .reloadModule(origin, options)
            .catch((error: Error): ReloadOutcome[] => [{ device: device.name, error }]),
        ),
    );
    this.#hosts.renew();
    return [...outcomes, ...apart.flat()];
  }

  /** @returns undefined where there can be no socket: the devices are served all the same */
  async #listen(path: string): Promise<ControlServer | undefined> {
    try {
      return await ControlServer.start({ path, target: this, log: this.#log });
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'ALREADY_RUNNING') throw error;
      this.#log.warn(`no control socket: ${message}`);
      return undefined;
    }
  }
}
