import { expect } from 'chai';
import { ConfigfsDevice, listStorageObjects } from '../../src/target/configfs.js';
import { FixtureTree } from './fixture.js';

const directory = 'sys/kernel/config/target/core/user_1/disk0';

describe('ConfigfsDevice', () => {
  let tree: FixtureTree;
  let device: ConfigfsDevice;
  beforeEach(() => {
    tree = new FixtureTree();
    tree.loadModule();
    tree.addDevice({ uio: 0, host: 1, name: 'disk0', devConfig: 'memory/', size: 3_000_000_000_000 });
    device = new ConfigfsDevice({ hba: 'user_1', name: 'disk0' }, tree.config);
  });
  afterEach(() => tree.close());

  it('reads the attributes in their units', () => {
    expect(device.commandTimeout()).to.equal(30);
    expect(device.blockSize()).to.equal(512);
    expect(device.maxSectors()).to.equal(128);
    expect(device.size()).to.equal(3_000_000_000_000);
    expect(device.waitsForReply()).to.equal(true);
  });

  it('reads the serial number without its caption, and none as none', () => {
    expect(device.unitSerial()).to.equal('5a6b-7c');
    tree.write(`${directory}/wwn/vpd_unit_serial`, 'T10 VPD Unit Serial Number: \n');
    expect(device.unitSerial()).to.equal(undefined);
  });

  it('does not wait for replies where nl_reply_supported is 0 or -1', () => {
    for (const value of ['0', '-1']) {
      tree.write(`${directory}/attrib/nl_reply_supported`, `${value}\n`);
      expect(device.waitsForReply()).to.equal(false);
    }
  });

  it('writes the actions', () => {
    device.freeKeptBuffer(65_535);
    device.block(true);
    device.resetRing(2);
    expect(tree.read(`${directory}/action/free_kept_buf`)).to.equal('65535');
    expect(tree.read(`${directory}/action/block_dev`)).to.equal('1');
    expect(tree.read(`${directory}/action/reset_ring`)).to.equal('2');
  });

  it('names the device and the file where the attribute is missing, and creates none', () => {
    tree.remove(`${directory}/action/free_kept_buf`);
    expect(() => device.freeKeptBuffer(1))
      .to.throw(/user_1\/disk0: cannot write .*\/action\/free_kept_buf: ENOENT/)
      .with.property('code', 'ENOENT');
    tree.remove(`${directory}/attrib/hw_block_size`);
    expect(() => device.blockSize()).to.throw(/user_1\/disk0: cannot read .*hw_block_size/);
  });

  it('reads and writes what it holds, however the way there is barred, until it is released', function () {
    if (process.platform !== 'linux') this.skip();
    const held = ConfigfsDevice.hold({ hba: 'user_1', name: 'disk0' }, tree.config);
    const moved = directory.replace('user_1', 'elsewhere');
    tree.move(directory, moved);
    expect(() => device.blockSize()).to.throw(/ENOENT/);
    expect(held.blockSize()).to.equal(512);
    expect(held.unitSerial()).to.equal('5a6b-7c');
    held.freeKeptBuffer(7);
    expect(tree.read(`${moved}/action/free_kept_buf`)).to.equal('7');
    tree.remove(moved);
    expect(() => held.blockSize()).to.throw(
      /user_1\/disk0: cannot read .*\/user_1\/disk0\/attrib\/hw_block_size: ENOENT/,
    );
    held.release();
    held.release();
    expect(() => held.blockSize()).to.throw(/ENOENT/);
  });

  it('can hold a device that is gone, of which it then says so', () => {
    const gone = ConfigfsDevice.hold({ hba: 'user_1', name: 'gone' }, tree.config);
    expect(() => gone.blockSize()).to.throw(/ENOENT/);
    gone.release();
  });

  it('tells whether it is configured, and its write cache', () => {
    for (const [file, ask] of [
      ['enable', () => device.isConfigured()],
      ['attrib/emulate_write_cache', () => device.writeCache()],
    ] as const) {
      tree.write(`${directory}/${file}`, '0\n');
      expect(ask()).to.equal(false);
      tree.write(`${directory}/${file}`, '1\n');
      expect(ask()).to.equal(true);
    }
    device.setWriteCache(false);
    expect(tree.read(`${directory}/attrib/emulate_write_cache`)[0]).to.equal('0');
  });

  it('refuses what is no number', () => {
    for (const text of ['', 'NULL', '12 MB', '0x200']) {
      tree.write(`${directory}/attrib/dev_size`, `${text}\n`);
      expect(() => device.size()).to.throw(`holds '${text}'`);
    }
  });

  it('refuses a block length of 0', () => {
    tree.write(`${directory}/attrib/hw_block_size`, '0\n');
    expect(() => device.blockSize()).to.throw(/hw_block_size is 0/);
  });
});

describe('listStorageObjects', () => {
  let tree: FixtureTree;
  beforeEach(() => (tree = new FixtureTree()));
  afterEach(() => tree.close());

  it('lists what is under user_N, and nothing else', () => {
    tree.loadModule();
    tree.addDevice({ uio: 0, host: 1, name: 'a', devConfig: 'memory/' });
    tree.addDevice({ uio: 1, host: 2, name: 'b', devConfig: 'memory/' });
    tree.mkdir('sys/kernel/config/target/core/iblock_0/c');
    tree.write('sys/kernel/config/target/core/user_1/hba_info', 'HBA Index: 1\n');
    expect(listStorageObjects(tree.config)).to.have.deep.members([
      { hba: 'user_1', name: 'a' },
      { hba: 'user_2', name: 'b' },
    ]);
  });

  it('names the commands that bring configfs and LIO', () => {
    expect(() => listStorageObjects(tree.config)).to.throw(/modprobe target_core_user.*mount -t configfs/);
  });
});
