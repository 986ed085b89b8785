import { expect } from 'chai';
import fc from 'fast-check';
import { isRemoved, parseUioName, readUio, scanUio } from '../../src/target/uio.js';
import { FixtureTree } from './fixture.js';

describe('UIO devices', () => {
  let tree: FixtureTree;
  beforeEach(() => (tree = new FixtureTree()));
  afterEach(() => tree.close());

  it('keeps the slashes of a cfgstring', () => {
    expect(parseUioName('tcm-user/3/disk0/file//srv/a/b.img?direct=1')).to.deep.equal({
      hba: 'user_3',
      name: 'disk0',
      devConfig: 'file//srv/a/b.img?direct=1',
      subtype: 'file',
      cfgstring: '/srv/a/b.img?direct=1',
    });
  });

  it('reads a device without a configuration as one without a subtype', () => {
    expect(parseUioName('tcm-user/0/disk0')).to.include({ name: 'disk0', subtype: '', cfgstring: '' });
  });

  it('takes any device name and configuration apart as the kernel put them together', () => {
    const part = fc.string({ minLength: 1, maxLength: 40 }).filter((text) => !text.includes('/'));
    const cfgstring = fc.string({ maxLength: 80 });
    fc.assert(
      fc.property(fc.nat(99), part, part, cfgstring, (host, name, subtype, rest) => {
        const devConfig = `${subtype}/${rest}`;
        expect(parseUioName(`tcm-user/${host}/${name}/${devConfig}`)).to.deep.equal({
          hba: `user_${host}`,
          name,
          devConfig,
          subtype,
          cfgstring: rest,
        });
      }),
      { numRuns: 200 },
    );
  });

  it('finds the TCMU devices among all UIO devices, in the order of their numbers', () => {
    tree.addDevice({ uio: 10, name: 'b', devConfig: 'memory/' });
    tree.addDevice({ uio: 2, host: 1, name: 'a', devConfig: 'file//x' });
    tree.write('sys/class/uio/uio3/name', 'uio_pci_generic\n');
    const found = scanUio(tree);
    expect(found.map(({ uio, hba, name }) => `${uio} ${hba}/${name}`)).to.deep.equal([
      'uio2 user_1/a',
      'uio10 user_0/b',
    ]);
    expect(found[0]).to.include({
      mapSize: 0x40800000,
      devicePath: `${tree.dev}/uio2`,
      devConfig: 'file//x',
    });
  });

  it('finds nothing where the kernel has no UIO device, or the device went while it was read', () => {
    expect(scanUio(tree)).to.deep.equal([]);
    tree.write('sys/class/uio/uio0/name', 'tcm-user/0/a/memory/\n');
    expect(readUio('uio0', tree)).to.equal(undefined);
    expect(readUio('uio1', tree)).to.equal(undefined);
  });

  it('tells whether a device is being removed, by what goes first', () => {
    tree.addDevice({ uio: 0, name: 'a', devConfig: 'memory/' });
    expect(isRemoved('uio0', tree)).to.equal(false);
    expect(isRemoved('uio1', tree)).to.equal(true);
  });

  it('names the file that holds no size', () => {
    tree.addDevice({ uio: 0, name: 'a', devConfig: 'memory/' });
    tree.write('sys/class/uio/uio0/maps/map0/size', 'many\n');
    expect(() => readUio('uio0', tree)).to.throw(/uio0\/maps\/map0\/size: 'many'/);
  });
});
