import { expect } from 'chai';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { diagnose, mend, treat } from '../../../src/daemon/doctor/doctor.js';
import type { Finding } from '../../../src/daemon/doctor/finding.js';
import { kernelNow, readKernelLog } from '../../../src/daemon/doctor/kernel-log.js';
import { FixtureMachine } from './machine.js';

describe('lunette doctor', () => {
  let machine: FixtureMachine;
  const disk = { uio: 0, name: 'disk', devConfig: 'memory/' };
  beforeEach(() => {
    machine = new FixtureMachine();
    machine.addServed(disk);
  });
  afterEach(() => machine.close());

  const ids = (findings: readonly Finding[]): string[] => findings.map(({ id }) => id);

  it('finds nothing where all is well', async () => {
    expect(await diagnose(machine.options)).to.deep.equal([]);
  });

  it('keeps away from configfs where a thread holds it', async () => {
    machine.write(`${machine.directory(disk)}/action/block_dev`, 'blocked\n');
    machine.addProcess({ pid: 8, state: 'D', stack: '[<0>] tcmu_netlink_event_send+0x11a/0x150\n' });
    expect(ids(await diagnose(machine.options))).to.deep.equal(['stuck-netlink']);
  });

  it('goes on after a check that cannot be made', async () => {
    machine.remove('sys/kernel/config/target');
    const findings = await diagnose(machine.options);
    expect(ids(findings)).to.include('orphan-device').and.include('data-area');
    expect(findings[0].what).to.match(/could not be examined.*modprobe target_core_user/);
  });

  it('mends what can be mended safely, and looks again at what shows behind it', async () => {
    machine.write(`${machine.directory(disk)}/action/block_dev`, 'blocked\n');
    machine.write('proc/self/mounts', '');
    machine.addUnserved({ uio: 1, name: 'orphan', devConfig: 'memory/' });
    const commands: string[] = [];
    const { treatments, findings } = await mend(machine.options, (command) => {
      commands.push(command);
      if (command.startsWith('mount')) {
        machine.write('proc/self/mounts', 'none /sys/kernel/config configfs rw 0 0\n');
      } else {
        machine.write(`${machine.directory(disk)}/action/block_dev`, 'unblocked\n');
      }
      return Promise.resolve();
    });
    expect(commands).to.have.length(2);
    expect(ids(treatments.map(({ finding }) => finding))).to.deep.equal([
      'unmounted-configfs',
      'blocked-device',
    ]);
    expect(ids(findings)).to.deep.equal(['orphan-device']);
  });

  it('tries no command twice', async () => {
    machine.write('proc/self/mounts', '');
    let runs = 0;
    const { treatments, findings } = await mend(machine.options, () => {
      runs += 1;
      return Promise.reject(new Error('mount: permission denied'));
    });
    expect(runs).to.equal(1);
    expect(treatments.map(({ error }) => error)).to.deep.equal(['mount: permission denied']);
    expect(ids(findings)).to.deep.equal(['unmounted-configfs']);
  });

  it('runs commands in a shell, and repeats what they say where they fail', async () => {
    const finding = (command: string, safe = true): Finding => ({
      id: 'x',
      what: '',
      why: '',
      fix: { command, safe },
    });
    const folder = mkdtempSync(join(tmpdir(), 'lunette-doctor-'));
    try {
      const treatments = await treat([
        finding(`false\necho no >${folder}/never`),
        finding('echo it cannot be >&2; exit 3'),
        finding(`cd ${folder}\necho yes >done`),
        finding('exit 1', false),
        finding('false\nexit 0'),
        finding('echo it cannot be >&2; exit 3'),
      ]);
      expect(treatments.map(({ error }) => error)).to.deep.equal([
        'it ended with 1',
        'it cannot be',
        undefined,
        'it ended with 1',
        'it cannot be',
      ]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('reads the kernel’s log', () => {
    const path = join(machine.root, 'kmsg');
    writeFileSync(path, '6,339,5140900,-;cmd_id 7 not found; ring is broken\n KEY=value\n');
    expect(readKernelLog(path)).to.deep.equal([{ time: 5140.9, text: 'cmd_id 7 not found; ring is broken' }]);
    expect(readKernelLog(join(machine.root, 'none'))).to.deep.equal([]);
    // A file that is no log keeps no time.
    expect(kernelNow(path)).to.be.closeTo(Number(process.hrtime.bigint()) / 1e6, 1000);
  });
});
