import { expect } from 'chai';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ownDisk } from '../../../src/daemon/doctor/own-disk.js';
import { FixtureMachine } from './machine.js';

describe('disks that their own daemon’s files lie on', () => {
  let machine: FixtureMachine;
  let image: string;
  const disk = { uio: 0, name: 'disk', devConfig: 'memory/' };

  beforeEach(() => {
    machine = new FixtureMachine();
    machine.addUnserved(disk);
    machine.addLoopback(disk, 'sda', 'sg0');
    image = join(machine.root, 'disk.img');
    writeFileSync(image, '');
    machine.addProcess({ pid: 100, files: ['/dev/uio0', image, 'socket:[1]', '/dev/null'] });
  });
  afterEach(() => machine.close());

  /** major:minor of the file system that the temporary directory is on. */
  function deviceOfImage(): string {
    const { dev } = statSync(image);
    const major = ((dev >>> 8) & 0xfff) | (Math.floor(dev / 2 ** 32) & 0xfffff000);
    const minor = (dev & 0xff) | ((dev >>> 12) & 0xfff00);
    return `${major}:${minor}`;
  }

  it('are not found where there are none', () => {
    expect(ownDisk.find(machine.host())).to.deep.equal([]);
    machine.link(`sys/dev/block/${deviceOfImage()}`, '../../devices/virtual/block/vda');
    expect(ownDisk.find(machine.host())).to.deep.equal([]);
  });

  it('are found by the device that the file system is on', () => {
    machine.link(`sys/dev/block/${deviceOfImage()}`, '../../devices/virtual/block/sda');
    const [finding] = ownDisk.find(machine.host()) as { subject?: string; what: string; fix?: unknown }[];
    expect(finding.subject).to.equal(image);
    expect(finding.what).to.include('/dev/sda').and.include('user_0/disk');
    expect(finding.fix).to.equal(undefined);
  });

  it('are found below partitions and volumes', () => {
    machine.link(`sys/dev/block/${deviceOfImage()}`, '../../devices/virtual/block/dm-0');
    machine.mkdir('sys/class/block/dm-0/slaves/sda1');
    machine.write('sys/devices/sda/sda1/partition', '1\n');
    machine.link('sys/class/block/sda1', '../../devices/sda/sda1');
    expect(ownDisk.find(machine.host())).to.have.length(1);
  });

  it('are found below file systems without a device of their own', () => {
    machine.write('dev/sda', '');
    machine.write(
      'proc/100/mountinfo',
      `20 1 0:3 / /proc rw - proc proc rw\n30 1 ${deviceOfImage()} / /srv rw shared:1 - btrfs /dev/sda rw\n`,
    );
    expect(ownDisk.find(machine.host())).to.have.length(1);
  });

  it('are found below loop devices', () => {
    const number = deviceOfImage();
    machine.link(`sys/dev/block/${number}`, '../../devices/virtual/block/loop0');
    machine.write('sys/class/block/loop0/loop/backing_file', `${join(machine.root, 'inner')}\n`);
    // Its file is on the same file system here, which is what a loop of loops looks like, and must end.
    writeFileSync(join(machine.root, 'inner'), '');
    expect(ownDisk.find(machine.host())).to.deep.equal([]);
    machine.mkdir('sys/class/block/loop0/slaves/sda');
    expect(ownDisk.find(machine.host())).to.have.length(1);
  });

  it('are found by serial number, over whatever transport', () => {
    machine.remove('sys/kernel/config/target/loopback');
    machine.write('sys/block/sdb/device/vpd_pg80', '\0\x80\0\x095a6b-7c');
    machine.mkdir('sys/block/sdb/device/scsi_device/9:0:0:0');
    machine.mkdir('sys/class/scsi_device/9:0:0:0/device/block/sdb');
    machine.link(`sys/dev/block/${deviceOfImage()}`, '../../devices/virtual/block/sdb');
    expect(ownDisk.find(machine.host())).to.have.length(1);
  });

  it('may hold swap space', () => {
    machine.write(
      'proc/swaps',
      'Filename Type Size Used Priority\n/dev/sda partition 1 0 -2\n/dev/vda1 partition 1 0 -3\n',
    );
    const [finding] = ownDisk.find(machine.host()) as { subject?: string; fix?: { command: string } }[];
    expect(finding.subject).to.equal('/dev/sda');
    expect(finding.fix?.command).to.equal('swapoff /dev/sda');
  });
});
