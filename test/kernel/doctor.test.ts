import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { Daemon } from './support/daemon.js';
import { examine, mendAll, only, type Examination } from './support/doctor.js';
import { LoopbackLun } from './support/lun.js';
import { resetNetlink, useLunette } from './support/lunette.js';
import { breakRing } from './support/ring-breaker.js';
import { bash, run, type RunResult } from './support/run.js';
import { targetcli } from './support/targetcli.js';
import { TcmuRunner } from './support/tcmu-runner.js';
import { until } from './support/wait.js';

const core = '/sys/kernel/config/target/core';
const parameters = '/sys/module/target_core_user/parameters';

/** Small, so that the guest's memory is enough for many. */
const small = 'max_data_area_mb=16';

function memoryLun(): Promise<LoopbackLun> {
  return LoopbackLun.create({ backstore: 'user:memory', size: '16M', control: small, cfgstring: '' });
}

/** Where LIO keeps persistent reservations; Debian's packages do not make it. */
function reservationFolder(): string {
  return `${readFileSync('/sys/kernel/config/target/dbroot', 'utf8').trim()}/pr`;
}

async function healthy(): Promise<void> {
  const { status, findings } = await examine();
  expect(findings).to.deep.equal([]);
  expect(status).to.equal(0);
}

describe('lunette doctor on a host without LUNs', () => {
  it('finds nothing where all is well', healthy);

  it('loads missing modules', async () => {
    await bash(
      'rmdir /sys/kernel/config/target/* 2>/dev/null || true; modprobe -r tcm_loop iscsi_target_mod',
    );
    const finding = only(await examine());
    expect(finding).to.include({ id: 'missing-modules', subject: 'tcm_loop' });
    await mendAll('missing-modules');
    expect(existsSync('/sys/module/tcm_loop')).to.equal(true);
    await bash('modprobe iscsi_target_mod');
  });

  it('loads target_core_user, and mounts configfs', async () => {
    await bash('modprobe -r target_core_user; umount /sys/kernel/config');
    const { findings, status } = await examine();
    expect(status).to.equal(1);
    expect(findings.map(({ id }) => id)).to.deep.equal(['missing-modules', 'unmounted-configfs']);
    await mendAll('missing-modules', 'unmounted-configfs');
    expect(existsSync(core)).to.equal(true);
  });

  it('installs the bus policy', async () => {
    const policy = '/usr/share/dbus-1/system.d/org.kernel.TCMUService1.conf';
    rmSync(policy);
    expect(only(await examine()).id).to.equal('bus-policy');
    await mendAll('bus-policy');
    expect(readFileSync(policy, 'utf8')).to.include('org.kernel.TCMUService1');
    const daemon = await Daemon.start();
    expect(daemon.everything()).not.to.match(/refuses the name/);
    await daemon.stop();
  });

  it('warns of a tcmu-runner that the bus would start, and of one that runs', async () => {
    const service = '/usr/share/dbus-1/system-services/org.kernel.TCMUService1.service';
    await bash(`cp /tmp/tcmu-runner/org.kernel.TCMUService1.service ${service}`);
    const activatable = only(await examine());
    expect(activatable.id).to.equal('tcmu-runner');
    expect(activatable.what).to.match(/starts tcmu-runner/);
    const runner = await TcmuRunner.start();
    try {
      const owner = only(await examine());
      expect(owner.what).to.match(/owns org\.kernel\.TCMUService1/);
      // Not ours to end.
      expect(owner.fix?.safe).to.equal(false);
      expect((await examine('--fix')).treatments).to.deep.equal([]);
    } finally {
      await runner.stop();
      rmSync(service);
      rmSync('/etc/dbus-1/system.d/tcmu-runner.conf');
    }
    await healthy();
  });

  it('tells the story to people', async () => {
    await bash('umount /sys/kernel/config');
    const { stdout } = await run(process.execPath, ['dist/cli/main.js', 'doctor', '--fix'], {
      mayFail: true,
    });
    expect(stdout).to.match(/^mended: configfs is not mounted/m);
    expect(stdout).to.match(/^ {2}ran +mount -t configfs none \/sys\/kernel\/config$/m);
    expect(stdout).to.match(/^healthy: nothing found$/m);
  });
});

describe('lunette doctor on a host with LUNs', () => {
  const lunette = useLunette({ expectedAlarms: /I\/O error|ring is broken|critical|ABORT_TASK|Buffer/ });

  before(() => mkdirSync(reservationFolder(), { recursive: true }));

  it('makes the folder without which LIO keeps no reservations', async () => {
    const lun = await memoryLun();
    const register = (key: string): Promise<RunResult> =>
      run(
        'sg_persist',
        ['-n', '--out', '--register-ignore', `--param-sark=${key}`, '--param-aptpl', lun.path],
        {
          mayFail: true,
        },
      );
    rmSync(reservationFolder(), { recursive: true });
    expect((await register('1')).status).not.to.equal(0);
    expect(only(await examine())).to.include({ id: 'reservation-folder', subject: reservationFolder() });
    await mendAll('reservation-folder');
    expect((await register('2')).status).to.equal(0);
    expect((await register('0')).status).to.equal(0);
    await lun.remove();
  });

  it('finds nothing where all is well; the daemon’s threads are IO_FLUSHERs', async () => {
    const lun = await memoryLun();
    await healthy();
    await lun.remove();
  });

  it('lets a blocked device go', async () => {
    const lun = await memoryLun();
    writeFileSync(`${lun.configfs}/action/block_dev`, '1\n');
    expect(only(await examine())).to.include({ id: 'blocked-device' });
    await mendAll('blocked-device');
    expect(readFileSync(`${lun.configfs}/action/block_dev`, 'utf8')).to.equal('unblocked\n');
    await run('dd', ['if=/dev/zero', `of=${lun.path}`, 'bs=4k', 'count=16', 'oflag=direct']);
    await lun.remove();
  });

  it('gives data areas less than the memory there is', async () => {
    const before = readFileSync(`${parameters}/global_max_data_area_mb`, 'utf8');
    const lun = await LoopbackLun.create({
      backstore: 'user:memory',
      size: '16M',
      control: 'max_data_area_mb=8192',
      cfgstring: '',
    });
    writeFileSync(`${parameters}/global_max_data_area_mb`, '8192\n');
    expect(only(await examine()).id).to.equal('data-area');
    await mendAll('data-area');
    expect(Number(readFileSync(`${parameters}/global_max_data_area_mb`, 'utf8'))).to.be.below(2048);
    await lun.remove();
    writeFileSync(`${parameters}/global_max_data_area_mb`, before);
  });

  it('knows of a device that no daemon serves; a daemon mends it', async () => {
    const lun = await memoryLun();
    await lunette.daemon.stop();
    const { findings, treatments } = await examine('--fix');
    expect(findings.map(({ id }) => id)).to.deep.equal(['orphan-device']);
    expect(findings[0]?.advice).to.match(/handler 'memory'/);
    expect(treatments).to.deep.equal([]);
    lunette.daemon = await Daemon.start();
    await healthy();
    await lun.remove();
  });

  it('releases a thread that waits for a dead daemon’s answer', async () => {
    // Made without targetcli, which would ask for the handlers first.
    const device = `${core}/user_99/stuck`;
    lunette.daemon.signal('SIGKILL');
    await lunette.daemon.exited;
    await bash(`mkdir -p ${device}; echo dev_config=memory/,dev_size=16777216,${small} >${device}/control`);
    const enabling = spawn('bash', ['-c', `echo 1 >${device}/enable`], { stdio: 'ignore' });
    const ended = once(enabling, 'exit');
    await until('the thread to wait', () => /tcmu/.test(readFileSync(`/proc/${enabling.pid}/stack`, 'utf8')));
    const finding = only(await examine());
    expect(finding.id).to.equal('stuck-netlink');
    expect(finding.subject).to.include(`pid ${enabling.pid}`);
    try {
      await mendAll('stuck-netlink');
    } catch (error) {
      resetNetlink();
      throw error;
    }
    expect((await ended)[0]).not.to.equal(0);
    await bash(`rmdir ${device} ${core}/user_99`);
    expect(readFileSync(`${parameters}/block_netlink`, 'utf8')).to.equal('unblocked\n');
    lunette.daemon = await Daemon.start();
  });

  it('switches the kernel’s messages on where somebody left them off', async () => {
    writeFileSync(`${parameters}/block_netlink`, '1\n');
    expect(only(await examine())).to.include({ id: 'stuck-netlink', subject: 'block_netlink' });
    await mendAll('stuck-netlink');
  });

  it('knows a broken ring, and resets it where no daemon serves it', async () => {
    const lun = await memoryLun();
    const uio = readdirSync('/sys/class/uio')[0] ?? '';
    await lunette.daemon.stop();
    const reading = run('dd', [`if=${lun.path}`, 'of=/dev/null', 'bs=4k', 'count=1', 'iflag=direct'], {
      mayFail: true,
    });
    await breakRing(uio);
    const { findings } = await examine();
    expect(findings.map(({ id }) => id)).to.deep.equal(['orphan-device', 'broken-ring']);
    expect(findings[1]?.fix?.safe).to.equal(true);
    expect(findings[1]?.fix?.command).to.include(`echo 1 >${lun.configfs}/action/reset_ring`);
    const { treatments, findings: left } = await examine('--fix');
    expect(treatments.map(({ id, mended }) => [id, mended])).to.deep.equal([['broken-ring', true]]);
    expect(left.map(({ id }) => id)).to.deep.equal(['orphan-device']);
    lunette.daemon = await Daemon.start();
    // The command that was outstanding was answered BUSY, and came again.
    expect((await reading).status).to.equal(0);
    await healthy();
    await lun.remove();
  });

  it('sees that the daemon’s files lie on its own disk', async () => {
    const below = await memoryLun();
    await bash(`mkfs.ext4 -q ${below.path}; mkdir -p /mnt/own; mount ${below.path} /mnt/own`);
    const above = await LoopbackLun.create({
      backstore: 'user:file',
      size: '4M',
      control: small,
      cfgstring: '/mnt/own/disk.img?create=1',
    });
    const finding = only(await examine());
    expect(finding).to.include({ id: 'own-disk', subject: '/mnt/own/disk.img' });
    expect(finding.what).to.include(below.path);
    expect(finding.fix).to.equal(undefined);
    await above.remove();
    await bash('umount /mnt/own');
    await healthy();
    await below.remove();
  });

  lunette.endsQuietly();
});

describe('lunette doctor beside a daemon with odd settings', () => {
  async function withDaemon(args: string[], prefix: string[], test: () => Promise<void>): Promise<void> {
    const words = [...prefix, process.execPath, 'dist/cli/main.js', 'serve', ...args];
    const daemon = spawn(words[0] ?? '', words.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] });
    const ended = once(daemon, 'exit');
    let log = '';
    daemon.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
    try {
      await until('the daemon to be ready', () => log.includes('"msg":"ready"'), 60_000);
      await targetcli(`/backstores/user:memory create name=odd size=16M control=${small} cfgstring=`);
      await test();
      await targetcli('/backstores/user:memory delete odd');
    } finally {
      daemon.kill('SIGTERM');
      await ended;
    }
  }

  it('raises a cmd_time_out that ends before the handler does', () =>
    withDaemon(['--command-timeout', '60'], [], async () => {
      const finding = only(await examine());
      expect(finding.id).to.equal('command-timeout');
      await mendAll('command-timeout');
      const [hba] = readdirSync(core).filter((name) => existsSync(`${core}/${name}/odd`));
      expect(readFileSync(`${core}/${hba}/odd/attrib/cmd_time_out`, 'utf8')).to.equal('75\n');
    }));

  it('says what LIO says where the device is exported', () =>
    withDaemon(['--command-timeout', '60'], [], async () => {
      await targetcli(
        '/loopback create naa.5001405000000ddd',
        '/loopback/naa.5001405000000ddd/luns create /backstores/user:memory/odd',
      );
      const { treatments, findings } = await examine('--fix');
      expect(treatments.map(({ id, mended }) => [id, mended])).to.deep.equal([['command-timeout', false]]);
      expect(findings.map(({ id }) => id)).to.deep.equal(['command-timeout']);
      await targetcli('/loopback delete naa.5001405000000ddd');
    }));

  it('knows a daemon that is no IO_FLUSHER', () =>
    withDaemon([], ['setpriv', '--bounding-set', '-sys_resource'], async () => {
      const { findings }: Examination = await examine('--fix');
      expect(findings.map(({ id }) => id)).to.deep.equal(['io-flusher']);
    }));

  it('knows a daemon that may not lock its program in memory', () => {
    const within = ['prlimit', '--memlock=65536', 'setpriv', '--bounding-set', '-sys_resource,-ipc_lock'];
    return withDaemon([], within, async () => {
      const { findings }: Examination = await examine('--fix');
      expect(findings.map(({ id }) => id)).to.deep.equal(['io-flusher', 'unlocked-memory']);
    });
  });

  it('has nothing against one with the capabilities of share/systemd/lunette.service', () => {
    const unit = readFileSync('share/systemd/lunette.service', 'utf8');
    const capabilities = /^CapabilityBoundingSet=(.*)$/m
      .exec(unit)?.[1]
      ?.toLowerCase()
      .replaceAll('cap_', '+');
    const list = `-all,${capabilities?.split(' ').join(',')}`;
    return withDaemon([], ['setpriv', '--no-new-privs', '--bounding-set', list], async () => {
      await healthy();
      // An image whose folder and file are another user's.
      await bash(
        'install -d -m 700 -o nobody /tmp/others; truncate -s 4M /tmp/others/disk; chown nobody /tmp/others/disk',
      );
      await targetcli(
        `/backstores/user:file create name=others size=4M control=${small} cfgstring=/tmp/others/disk`,
        '/loopback create naa.5001405000000eee',
        '/loopback/naa.5001405000000eee/luns create /backstores/user:file/others',
      );
      await healthy();
      await targetcli('/loopback delete naa.5001405000000eee', '/backstores/user:file delete others');
    });
  });
});
