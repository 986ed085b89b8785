import { expect } from 'chai';
import { blockedDevice } from '../../../src/daemon/doctor/blocked-device.js';
import { brokenRing } from '../../../src/daemon/doctor/broken-ring.js';
import { busPolicy } from '../../../src/daemon/doctor/bus-policy.js';
import { commandTimeoutTooShort } from '../../../src/daemon/doctor/command-timeout.js';
import { dataArea } from '../../../src/daemon/doctor/data-area.js';
import type { Check, Finding } from '../../../src/daemon/doctor/finding.js';
import { ioFlusher } from '../../../src/daemon/doctor/io-flusher.js';
import { missingModules } from '../../../src/daemon/doctor/missing-modules.js';
import { orphanDevice } from '../../../src/daemon/doctor/orphan-device.js';
import { stuckNetlink } from '../../../src/daemon/doctor/stuck-netlink.js';
import { tcmuRunner } from '../../../src/daemon/doctor/tcmu-runner.js';
import { unmountedConfigfs } from '../../../src/daemon/doctor/unmounted-configfs.js';
import { Host } from '../../../src/daemon/doctor/host.js';
import { FixtureMachine, ordinary, sense } from './machine.js';

describe('what lunette doctor looks for', () => {
  let machine: FixtureMachine;
  beforeEach(() => {
    machine = new FixtureMachine();
  });
  afterEach(() => machine.close());

  const find = async (check: Check): Promise<Finding[]> => check.find(machine.host());
  const only = async (check: Check): Promise<Finding> => {
    const findings = await find(check);
    expect(findings).to.have.length(1);
    return findings[0];
  };
  const disk = { uio: 0, name: 'disk', devConfig: 'memory/' };

  describe('missing modules', () => {
    it('are nothing where they are loaded, or built in', async () => {
      expect(await find(missingModules)).to.deep.equal([]);
      machine.remove('sys/module');
      machine.write('proc/sys/kernel/osrelease', '6.1.0\n');
      machine.write(
        'lib/modules/6.1.0/modules.builtin',
        'kernel/drivers/target/target_core_user.ko\nkernel/drivers/vhost/vhost_scsi.ko\n',
      );
      expect(await find(missingModules)).to.deep.equal([]);
    });

    it('are loaded by modprobe', async () => {
      machine.remove('sys/module');
      const findings = await find(missingModules);
      expect(findings.map(({ fix }) => fix)).to.deep.equal([
        { command: 'modprobe target_core_user', safe: true },
        { command: 'modprobe tcm_loop', safe: true },
      ]);
    });
  });

  it('configfs, mounted', async () => {
    expect(await find(unmountedConfigfs)).to.deep.equal([]);
    machine.write('proc/self/mounts', 'sysfs /sys sysfs rw 0 0\n');
    expect((await only(unmountedConfigfs)).fix?.command).to.equal(
      'mount -t configfs none /sys/kernel/config',
    );
  });

  it('a bus policy, in either folder, under any file name', async () => {
    expect(await find(busPolicy)).to.deep.equal([]);
    machine.remove('usr/share/dbus-1');
    machine.write('etc/dbus-1/system.d/other.conf', '<allow own="org.example"/>');
    expect((await only(busPolicy)).fix?.command).to.match(/^install .*\/share\/dbus-1\/.*\n.*ReloadConfig$/);
    machine.write('etc/dbus-1/system.d/tcmu.conf', '<allow own="org.kernel.TCMUService1"/>');
    expect(await find(busPolicy)).to.deep.equal([]);
  });

  describe('tcmu-runner', () => {
    const service = 'usr/share/dbus-1/system-services/org.kernel.TCMUService1.service';

    it('that owns the name, or runs without it', async () => {
      machine.addProcess({ pid: 7, command: 'tcmu-runner', args: ['/usr/bin/tcmu-runner'] });
      expect((await only(tcmuRunner)).what).to.include('runs beside lunette');
      machine.owner = 7;
      const finding = await only(tcmuRunner);
      expect(finding.what).to.include('owns org.kernel.TCMUService1');
      expect(finding.fix?.safe).to.equal(false);
    });

    it('that the bus would start', async () => {
      machine.owner = undefined;
      expect(await find(tcmuRunner)).to.deep.equal([]);
      machine.write(service, 'Name=org.kernel.TCMUService1\nExec=/usr/bin/tcmu-runner\n');
      expect((await only(tcmuRunner)).fix?.command).to.equal('systemctl mask tcmu-runner');
      machine.owner = 100;
      expect(await find(tcmuRunner)).to.deep.equal([]);
    });

    it('but not one that is masked, or whose file another one hides', async () => {
      machine.owner = undefined;
      machine.write(service, 'Exec=/usr/bin/tcmu-runner\n');
      machine.link('etc/systemd/system/tcmu-runner.service', '/dev/null');
      expect(await find(tcmuRunner)).to.deep.equal([]);
      machine.remove('etc');
      machine.write(service.replace('usr/share', 'usr/local/share'), 'Exec=/bin/false\n');
      expect(await find(tcmuRunner)).to.deep.equal([]);
    });

    it('and a bus that is not there', async () => {
      const { options } = machine;
      const host = new Host({
        ...options,
        nameOwner: () => Promise.reject(new Error('the message bus cannot be reached')),
      });
      const [finding] = await tcmuRunner.find(host);
      expect(finding.id).to.equal('no-bus');
    });
  });

  describe('stuck netlink replies', () => {
    const stack = '[<0>] wait_for_completion+0x1c/0x20\n[<0>] tcmu_netlink_event_send+0x11a/0x150\n';

    it('of a thread that waits in the kernel', async () => {
      machine.addProcess({ pid: 8, command: 'targetcli', args: ['targetcli'], state: 'D', stack });
      machine.addProcess({
        pid: 9,
        command: 'dd',
        args: ['dd'],
        state: 'D',
        stack: '[<0>] io_schedule+0x1/0x2\n',
      });
      const finding = await only(stuckNetlink);
      expect(finding.subject).to.equal('targetcli (pid 8)');
      expect(finding.fix?.command).to.include('reset_netlink');
    });

    it('but not of one that was answered meanwhile', async () => {
      machine.addProcess({ pid: 8, state: 'D', stack });
      machine.patience = 50;
      const looking = find(stuckNetlink);
      machine.remove('proc/8');
      expect(await looking).to.deep.equal([]);
    });

    it('and messages that are switched off', async () => {
      machine.write('sys/module/target_core_user/parameters/block_netlink', 'blocked\n');
      expect((await only(stuckNetlink)).subject).to.equal('block_netlink');
    });
  });

  it('blocked devices', async () => {
    machine.addServed(disk);
    expect(await find(blockedDevice)).to.deep.equal([]);
    machine.write(`${machine.directory(disk)}/action/block_dev`, 'blocked\n');
    const { fix, subject } = await only(blockedDevice);
    expect(subject).to.equal('user_0/disk');
    expect(fix?.command).to.match(/^echo 0 >.*user_0\/disk\/action\/block_dev$/);
  });

  it('quotes what the shell would take for its own', async () => {
    const odd = { ...disk, name: `it's; rm` };
    machine.addServed(odd);
    machine.write(`${machine.directory(odd)}/action/block_dev`, 'blocked\n');
    expect((await only(blockedDevice)).fix?.command).to.match(/>'.*it'\\''s; rm\/action\/block_dev'$/);
  });

  describe('orphan devices', () => {
    it('without any daemon', async () => {
      machine.addUnserved(disk);
      const finding = await only(orphanDevice);
      expect(finding.fix).to.deep.equal({ command: 'systemctl start lunette', safe: false });
      expect(finding.advice).to.include("handler 'memory'");
    });

    it('beside a daemon that did not open them', async () => {
      machine.addServed(disk);
      machine.addUnserved({ uio: 1, name: 'other', devConfig: 'mine/x' });
      const finding = await only(orphanDevice);
      expect(finding.fix).to.equal(undefined);
      expect(finding.advice).to.match(/its log says why.*handler 'mine'/s);
    });

    it('but not storage objects that are not enabled', async () => {
      machine.addUnserved(disk);
      machine.remove('sys/class/uio');
      expect(await find(orphanDevice)).to.deep.equal([]);
    });
  });

  describe('broken rings', () => {
    const broken = { status: 2, sense: sense(5, 0x08, 0) };

    it('of served devices: the daemon has to be stopped first', async () => {
      machine.addServed(disk);
      machine.addLoopback(disk, 'sda', 'sg0');
      machine.answers.set('/dev/sg0', broken);
      const finding = await only(brokenRing);
      expect(finding.fix?.safe).to.equal(false);
      expect(finding.advice).to.include('lunette (pid 100)');
    });

    it('of devices without a daemon, where the log gives a reason to ask', async () => {
      machine.addUnserved(disk);
      machine.addLoopback(disk, 'sda', 'sg0');
      machine.answers.set('/dev/sg0', broken);
      expect(await find(brokenRing)).to.deep.equal([]);
      expect(machine.asked).to.deep.equal([]);
      machine.kernelLog = ['cmd_id 7 not found, ring is broken'];
      expect((await only(brokenRing)).fix?.command).to.match(/^echo 1 >.*reset_ring\necho .*\/dev\/kmsg$/);
    });

    it('but not of a device that answers, or fails in another way', async () => {
      machine.addServed(disk);
      machine.addLoopback(disk, 'sda', 'sg0');
      machine.kernelLog = ['cmd_id 7 not found, ring is broken'];
      for (const answer of [
        { status: 0, sense: new Uint8Array(0) },
        { status: 2, sense: sense(2, 4, 1) },
        { status: 2, sense: new Uint8Array(8) },
      ]) {
        machine.answers.set('/dev/sg0', answer);
        expect(await find(brokenRing)).to.deep.equal([]);
      }
    });

    it('says so where it cannot be told', async () => {
      machine.addServed(disk);
      expect(await find(brokenRing)).to.deep.equal([]);
      machine.kernelLog = ['cmd_id 7 not found, ring is broken'];
      const finding = await only(brokenRing);
      expect(finding.fix?.safe).to.equal(false);
      expect(finding.what).to.include('user_0/disk');
      // What the fix leaves there.
      machine.kernelLog.push('lunette: the ring of user_0/disk was reset');
      expect(await find(brokenRing)).to.deep.equal([]);
    });

    it('has nothing to do with a log line that is older than the device', async () => {
      machine.addServed(disk);
      const host = new Host({
        ...machine.options,
        kernelLog: () => [{ time: 440_000, text: 'cmd_id 7 not found, ring is broken' }],
      });
      expect(await brokenRing.find(host)).to.deep.equal([]);
    });
  });

  describe('data areas', () => {
    it('that memory has room for', async () => {
      machine.addServed(disk);
      expect(await find(dataArea)).to.deep.equal([]);
    });

    it('that are more than half of it', async () => {
      for (let uio = 0; uio < 3; uio += 1)
        machine.addUnserved({ uio, name: `d${uio}`, devConfig: 'memory/' });
      machine.write('proc/meminfo', 'MemTotal:       2097152 kB\n');
      const finding = await only(dataArea);
      expect(finding.what).to.include('3 devices').and.include('2048 MiB');
      expect(finding.fix?.command).to.match(/^echo 512 >\/sys\/module/);
    });
  });

  describe('time-outs', () => {
    const serve = (...args: string[]): void => {
      machine.addUnserved(disk);
      machine.addProcess({ pid: 100, args: ['node', 'lunette', 'serve', ...args], files: ['/dev/uio0'] });
    };

    it('that suit each other', async () => {
      serve('--command-timeout', '20');
      expect(await find(commandTimeoutTooShort)).to.deep.equal([]);
      machine.remove('proc/100');
      serve();
      expect(await find(commandTimeoutTooShort)).to.deep.equal([]);
    });

    it('where LIO’s ends before the handler’s', async () => {
      serve('--command-timeout=60');
      expect((await only(commandTimeoutTooShort)).fix?.command).to.match(/^echo 75 >.*cmd_time_out$/);
      machine.write(`${machine.directory(disk)}/attrib/cmd_time_out`, '0\n');
      expect(await find(commandTimeoutTooShort)).to.deep.equal([]);
    });

    it('of a device that has a process of its own', async () => {
      machine.addUnserved(disk);
      const entry = '/usr/lib/node_modules/lunette/dist/daemon/host/process-entry.js';
      machine.addProcess({
        pid: 101,
        args: ['node', entry, '--command-timeout=60', '--on-timeout=fail'],
        files: ['/dev/uio0'],
      });
      const { what, fix } = await only(commandTimeoutTooShort);
      expect(what).to.include('lunette (pid 101) gives its handler 60 s');
      expect(fix?.command).to.match(/^echo 75 >/);
      machine.remove('proc/101');
      machine.addProcess({ pid: 102, args: ['node', entry, '--on-timeout=wait'], files: ['/dev/uio0'] });
      expect((await only(commandTimeoutTooShort)).what).to.include('all the time it wants');
    });

    it('where the handler has none', async () => {
      serve('--command-timeout', '0');
      expect((await only(commandTimeoutTooShort)).fix?.command).to.match(/^echo 0 >/);
      machine.remove('proc/100');
      serve('--on-timeout', 'wait', '--command-timeout', '20');
      expect((await only(commandTimeoutTooShort)).what).to.include('all the time it wants');
    });
  });

  it('daemons that are no IO_FLUSHERs', async () => {
    machine.addServed(disk);
    expect(await find(ioFlusher)).to.deep.equal([]);
    machine.addProcess({ pid: 101, flags: ordinary });
    // Serves nothing.
    expect(await find(ioFlusher)).to.deep.equal([]);
    machine.addProcess({ pid: 102, flags: ordinary, files: ['/dev/uio0'], blocks: 'fffffffe7ffbfeff' });
    expect(await find(ioFlusher)).to.deep.equal([]);
    machine.addProcess({ pid: 103, flags: ordinary, files: ['/dev/uio0'] });
    expect((await only(ioFlusher)).subject).to.equal('lunette (pid 103)');
  });
});
