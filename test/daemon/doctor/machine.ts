import { mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Host, type HostOptions } from '../../../src/daemon/doctor/host.js';
import { FixtureTree, type FixtureDevice } from '../../target/fixture.js';

/** Flags of a thread that is an IO_FLUSHER, and of one that is none. */
export const flusher = 0x580100;
export const ordinary = 0x400100;

export interface FixtureProcess {
  pid: number;
  command?: string;
  args?: string[];
  /** Targets of its descriptors, in order. */
  files?: string[];
  /** D: uninterruptible. */
  state?: string;
  stack?: string;
  flags?: number;
  /** SigBlk. */
  blocks?: string;
  /** VmLck, in kilobytes. */
  locked?: number;
}

/** A machine with all a check may look at, as files in a temporary directory; healthy to begin with. */
export class FixtureMachine extends FixtureTree {
  owner: number | undefined = 100;
  /** Messages of the kernel, of this moment. */
  kernelLog: string[] = [];
  answers = new Map<string, { status: number; sense: Uint8Array } | undefined>();
  readonly asked: string[] = [];
  /** Called when something must last to count. */
  patience: number | undefined = 0;

  constructor() {
    super();
    this.loadModule();
    this.mkdir('sys/module/tcm_loop');
    this.write('sys/module/target_core_user/parameters/block_netlink', 'unblocked\n');
    this.write('sys/module/target_core_user/parameters/global_max_data_area_mb', '2048\n');
    this.write('proc/self/mounts', 'configfs /sys/kernel/config configfs rw,relatime 0 0\n');
    this.write('proc/meminfo', 'MemTotal:       16777216 kB\nMemFree: 1 kB\n');
    this.write(
      'usr/share/dbus-1/system.d/org.kernel.TCMUService1.conf',
      '<allow own="org.kernel.TCMUService1"/>',
    );
  }

  get options(): HostOptions {
    return {
      root: this.root,
      patience: this.patience,
      nameOwner: () => Promise.resolve(this.owner),
      kernelLog: () => this.kernelLog.map((text) => ({ time: 500_000, text })),
      kernelNow: () => 500_000,
      inquire: (path) => {
        this.asked.push(path);
        return this.answers.get(path);
      },
    };
  }

  host(): Host {
    return new Host(this.options);
  }

  link(path: string, target: string): void {
    const file = join(this.root, path);
    mkdirSync(dirname(file), { recursive: true });
    symlinkSync(target, file);
  }

  addProcess(process: FixtureProcess): void {
    const { pid, command = 'node', args = ['node', '/usr/bin/lunette', 'serve'], files = [] } = process;
    const {
      state = 'S',
      stack = '',
      flags = flusher,
      blocks = '0000000000000000',
      locked = 90_000,
    } = process;
    this.write(`proc/${pid}/status`, `Name:\tnode\nVmLck:\t${String(locked).padStart(8)} kB\n`);
    this.write(`proc/${pid}/comm`, `${command}\n`);
    this.write(`proc/${pid}/cmdline`, args.map((arg) => `${arg}\0`).join(''));
    this.mkdir(`proc/${pid}/fd`);
    files.forEach((target, fd) => this.link(`proc/${pid}/fd/${fd}`, target));
    const thread = `proc/${pid}/task/${pid}`;
    this.write(`${thread}/stat`, `${pid} (a (bad) name) ${state} 1 ${pid} ${pid} 0 -1 ${flags} 0 0\n`);
    this.write(`${thread}/status`, `Name:\tnode\nSigBlk:\t${blocks}\n`);
    this.write(`${thread}/stack`, stack);
  }

  /** A device in good order, served by process 100. */
  addServed(device: FixtureDevice): void {
    this.addUnserved(device);
    this.remove('proc/100');
    this.addProcess({ pid: 100, files: [`/dev/uio${device.uio}`] });
  }

  addUnserved(device: FixtureDevice): void {
    this.addDevice(device);
    const directory = this.directory(device);
    this.write(`${directory}/attrib/dev_config`, `${device.devConfig}\n`);
    this.write(`${directory}/attrib/max_data_area_mb`, '1024\n');
    this.write(`${directory}/action/block_dev`, 'unblocked\n');
    this.mkdir(`${directory}/statistics`);
  }

  directory({ host = 0, name }: FixtureDevice): string {
    return `sys/kernel/config/target/core/user_${host}/${name}`;
  }

  /** Export a device over tcm_loop: it becomes the disk `block`, and /dev/sgN. */
  addLoopback(device: FixtureDevice, block: string, generic: string): void {
    const group = `sys/kernel/config/target/loopback/naa.${device.name}/tpgt_1`;
    this.write(`${group}/address`, `${device.uio}:0:1\n`);
    this.link(
      `${group}/lun/lun_0/port`,
      `../../../../../../target/core/user_${device.host ?? 0}/${device.name}`,
    );
    this.write(`${group}/lun/lun_0/alua_tg_pt_gp`, '');
    const disk = `sys/class/scsi_device/${device.uio}:0:1:0/device`;
    this.mkdir(`${disk}/block/${block}`);
    this.mkdir(`${disk}/scsi_generic/${generic}`);
  }
}

/** Fixed-format sense data (SPC-4 4.5.3). */
export function sense(key: number, asc: number, ascq: number): Uint8Array {
  const bytes = new Uint8Array(18);
  bytes.set([0x70, 0, key, 0, 0, 0, 0, 10]);
  bytes[12] = asc;
  bytes[13] = ascq;
  return bytes;
}
