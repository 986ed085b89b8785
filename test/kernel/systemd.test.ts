import { expect } from 'chai';
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Daemon } from './support/daemon.js';
import { examine } from './support/doctor.js';
import { KernelLog } from './support/kernel-log.js';
import { resetNetlink } from './support/lunette.js';
import { bash, run } from './support/run.js';
import { Systemd } from './support/systemd.js';
import { targetcli } from './support/targetcli.js';
import { until } from './support/wait.js';

const wwn = 'naa.5001405000000ace';
const restore = 'rtslib-fb-targetctl.service';
const unit = '/etc/systemd/system/lunette.service';

/** The disk that LIO's saved configuration makes. */
function disk(): string | undefined {
  const address = `/sys/kernel/config/target/loopback/${wwn}/tpgt_1/address`;
  if (!existsSync(address)) return undefined;
  const folder = `/sys/class/scsi_device/${readFileSync(address, 'utf8').trim()}:0/device/block`;
  const name = existsSync(folder) ? readdirSync(folder)[0] : undefined;
  return name === undefined ? undefined : `/dev/${name}`;
}

describe('lunette.service at boot', () => {
  let systemd: Systemd;
  let kernelLog: KernelLog;

  before(async () => {
    kernelLog = await KernelLog.fromNow();
    const daemon = await Daemon.start();
    await targetcli(
      '/backstores/user:file create name=boot size=16M control=max_data_area_mb=16 cfgstring=/tmp/boot.img?create=1',
      `/loopback create ${wwn}`,
      `/loopback/${wwn}/luns create /backstores/user:file/boot`,
      'saveconfig',
    );
    await bash('mkdir -p "$(cat /sys/kernel/config/target/dbroot)/pr"; targetctl clear');
    await daemon.stop();
    await bash(`printf '#!/bin/sh\\nexec ${process.execPath} ${join(process.cwd(), 'dist/cli/main.js')} "$@"\\n' \\
        >/usr/local/bin/lunette
      chmod +x /usr/local/bin/lunette
      cp share/systemd/lunette.service ${unit}
      mkdir -p ${unit}.d; printf '[Service]\\nWatchdogSec=10\\nStandardError=append:/lab/logs/systemd.log\\n%s\\n' \\
        "ExecStopPost=/bin/sh -c 'echo \\$SERVICE_RESULT \\$(ls /sys/class/uio | wc -l) >/tmp/stopped'" >${unit}.d/watchdog.conf`);
    systemd = await Systemd.boot(['lunette.service', restore]);
  });

  after(async () => {
    try {
      await systemd?.end();
    } finally {
      resetNetlink();
      await bash(`rm -rf ${unit} ${unit}.d /usr/local/bin/lunette /etc/rtslib-fb-target/saveconfig.json`);
      const daemon = await Daemon.start();
      await bash('targetctl clear');
      await daemon.stop();
    }
  });

  it('is ready before LIO restores its configuration, and serves what that makes', async () => {
    const ready = Number(await systemd.property('lunette', 'ActiveEnterTimestampMonotonic'));
    const restored = Number(await systemd.property(restore, 'ExecMainStartTimestampMonotonic'));
    expect(ready).to.be.above(0).and.below(restored);
    const path = await until('the disk', disk);
    await bash(`head -c 8M /dev/urandom >/tmp/pattern
      dd if=/tmp/pattern of=${path} bs=1M oflag=direct status=none
      cmp -n 8M /tmp/pattern ${path}`);
    expect((await examine()).findings).to.deep.equal([]);
  });

  it('runs with three capabilities and without new privileges, behind a filter of system calls', async () => {
    const status = readFileSync(`/proc/${await systemd.mainProcess('lunette')}/status`, 'utf8');
    // CAP_DAC_OVERRIDE 1, CAP_NET_ADMIN 12, CAP_SYS_RESOURCE 24
    const capabilities = ((1n << 1n) | (1n << 12n) | (1n << 24n)).toString(16).padStart(16, '0');
    expect(status).to.match(new RegExp(`^CapBnd:\\s*${capabilities}$`, 'm'));
    expect(status).to.match(new RegExp(`^CapEff:\\s*${capabilities}$`, 'm'));
    expect(status).to.match(/^NoNewPrivs:\s*1$/m);
    expect(status).to.match(/^Seccomp:\s*2$/m);
  });

  it('keeps the watchdog content', async () => {
    const ping = (): Promise<string> => systemd.property('lunette', 'WatchdogTimestampMonotonic');
    const first = await ping();
    await until('another ping', async () => (await ping()) !== first);
    expect(await systemd.property('lunette', 'NRestarts')).to.equal('0');
  });

  it('comes back after kill -9; what came meanwhile is answered', async () => {
    const path = disk() ?? '';
    process.kill(await systemd.mainProcess('lunette'), 'SIGKILL');
    await run('cmp', ['-n', '8M', '/tmp/pattern', path]);
    await run('dd', [`if=${path}`, 'of=/dev/null', 'bs=1M', 'count=8', 'iflag=direct']);
    expect(await systemd.property('lunette', 'NRestarts')).to.equal('1');
    await systemd.active('lunette');
  });

  it('is reloaded by a successor that takes over, with disks that go on', async () => {
    const path = disk() ?? '';
    const before = await systemd.property('lunette', 'MainPID');
    const reading = run('dd', [`if=${path}`, 'of=/dev/null', 'bs=4k', 'count=2048', 'iflag=direct']);
    await systemd.control('reload', 'lunette');
    await until('a new main process', async () => (await systemd.property('lunette', 'MainPID')) !== before);
    await reading;
    await run('dd', [`if=${path}`, 'of=/dev/null', 'bs=1M', 'count=8', 'iflag=direct']);
    expect(await systemd.property('lunette', 'ActiveState')).to.equal('active');
    expect(await systemd.property('lunette', 'NRestarts')).to.equal('1');
  });

  it('has what LIO restores as it was saved, its write cache included', async () => {
    const [hba] = readdirSync('/sys/kernel/config/target/core').filter((name) => name.startsWith('user_'));
    const attribute = `/sys/kernel/config/target/core/${hba}/boot/attrib/emulate_write_cache`;
    expect(readFileSync(attribute, 'utf8')).to.equal('1\n');
    const written = readFileSync(`/sys/class/block/${(disk() ?? '').slice(5)}/queue/write_cache`, 'utf8');
    expect(written).to.equal('write back\n');
    expect((await kernelLog.lines()).filter((line) => /Unable to reconfigure/.test(line))).to.deep.equal([]);
  });

  it('stops after LIO in one go, also under load, and comes back with its disks', async () => {
    for (const load of [false, true, false, true]) {
      const path = disk() ?? '';
      const reading = load
        ? run('dd', [`if=${path}`, 'of=/dev/null', 'bs=4k', 'iflag=direct'], { mayFail: true })
        : undefined;
      // One after the other, as they are named: without a daemon nobody answers what the removal of a disk sends.
      await systemd.control('stop', restore, 'lunette');
      await reading;
      expect(await systemd.property('lunette', 'Result')).to.equal('success');
      expect(readdirSync('/sys/class/uio')).to.deep.equal([]);
      await systemd.control('start', 'lunette', restore);
      const next = await until('the disk', disk);
      await run('cmp', ['-n', '8M', '/tmp/pattern', next]);
    }
    expect((await kernelLog.lines()).filter((line) => /Unable to reconfigure/.test(line))).to.deep.equal([]);
  }).timeout(240_000);

  it('stops after LIO has given its devices back', async () => {
    rmSync('/tmp/stopped');
    await systemd.shutDown();
    await until('lunette.service to end', () => existsSync('/tmp/stopped'), 30_000);
    // How it ended, and how many devices there were then.
    expect(readFileSync('/tmp/stopped', 'utf8')).to.equal('success 0\n');
    expect(readdirSync('/sys/class/uio')).to.deep.equal([]);
  });
});
