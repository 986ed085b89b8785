import { expect } from 'chai';
import { agreeOnWriteCache } from '../../src/daemon/write-cache.js';
import type { Disk } from '../../src/scsi/disk.js';
import { LogicalUnit } from '../../src/scsi/logical-unit.js';
import { ConfigfsDevice } from '../../src/target/configfs.js';
import { FixtureTree, LogLines } from '../target/fixture.js';

const directory = 'sys/kernel/config/target/core/user_1/disk0';
const attribute = `${directory}/attrib/emulate_write_cache`;

describe('the write cache, as LIO has it', () => {
  let tree: FixtureTree;
  let log: LogLines;
  beforeEach(() => {
    tree = new FixtureTree();
    log = new LogLines();
    tree.loadModule();
  });
  afterEach(() => tree.close());

  /** @returns whether the logical unit has its write cache on */
  function opened(
    disk: Partial<Disk>,
    device: { enabled: boolean; attribute: number; waits?: number },
  ): boolean {
    const { enabled, waits } = device;
    tree.addDevice({ uio: 0, host: 1, name: 'disk0', devConfig: 'memory/', waits });
    tree.write(`${directory}/enable`, enabled ? '1\n' : '0\n');
    tree.write(attribute, `${device.attribute}\n`);
    const served: Disk = { size: 2 ** 20, read: () => undefined, ...disk };
    const unit = new LogicalUnit(served);
    const configfs = new ConfigfsDevice({ hba: 'user_1', name: 'disk0' }, tree.config);
    agreeOnWriteCache({ name: 'user_1/disk0', disk: served, unit }, configfs, log);
    return unit.modes.writeCacheEnabled;
  }

  const cached = { flush: () => undefined };

  it('is on for a new disk that has one, and LIO told so', () => {
    expect(opened(cached, { enabled: false, attribute: 0 })).to.equal(true);
    expect(tree.read(attribute)[0]).to.equal('1');
  });

  it('stays off where it was turned off before', () => {
    expect(opened(cached, { enabled: true, attribute: 0 })).to.equal(false);
    expect(log.of('info').join()).to.match(/writes through/);
    expect(tree.read(attribute)[0]).to.equal('0');
  });

  it('stays on where it was on', () => {
    expect(opened(cached, { enabled: true, attribute: 1 })).to.equal(true);
  });

  it('is on where nobody can tell a new device from an old one', () => {
    expect(opened(cached, { enabled: true, attribute: 0, waits: -1 })).to.equal(true);
  });

  it('is none of a disk without one', () => {
    expect(opened({}, { enabled: false, attribute: 0 })).to.equal(false);
    expect(tree.read(attribute)[0]).to.equal('0');
  });

  it('is the disk’s own where the kernel has no such attribute', () => {
    tree.addDevice({ uio: 0, host: 1, name: 'disk0', devConfig: 'memory/' });
    const disk: Disk = { size: 2 ** 20, read: () => undefined, ...cached };
    const unit = new LogicalUnit(disk);
    const configfs = new ConfigfsDevice({ hba: 'user_1', name: 'disk0' }, tree.config);
    agreeOnWriteCache({ name: 'user_1/disk0', disk, unit }, configfs, log);
    expect(unit.modes.writeCacheEnabled).to.equal(true);
    expect(log.of('debug')).to.have.length(1);
  });
});
