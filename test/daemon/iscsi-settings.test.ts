import { expect } from 'chai';
import { iscsiName, iscsiSettings, iscsiUrl } from '../../src/daemon/iscsi-settings.js';

describe('iSCSI settings of the command line', () => {
  it('take HOST:PORT, with the port of iSCSI where there is none', () => {
    const { portals } = iscsiSettings({ iscsi: ['127.0.0.1:0', 'localhost', '[::1]:3261', '[::1]'] });
    expect(portals).to.deep.equal([
      { host: '127.0.0.1', port: 0 },
      { host: 'localhost', port: 3260 },
      { host: '::1', port: 3261 },
      { host: '::1', port: 3260 },
    ]);
  });

  for (const wrong of ['', ':3260', '127.0.0.1:99999', '127.0.0.1:x', '::1:3260']) {
    it(`refuse '${wrong}', naming the option`, () => {
      expect(() => iscsiSettings({ iscsi: [wrong] })).to.throw(/^--iscsi: .*HOST:PORT/);
    });
  }

  for (const open of ['0.0.0.0', '192.0.2.1:3260', '[::]', 'disks.example.org']) {
    it(`let nobody else in at ${open} without being told to`, () => {
      expect(() => iscsiSettings({ iscsi: [open] })).to.throw(/--chap USER:PASSWORD.*--allow-anyone/);
      expect(iscsiSettings({ iscsi: [open], allowAnyone: true }).auth).to.equal(undefined);
      expect(iscsiSettings({ iscsi: [open], chap: 'alice:a:b' }).auth).to.deep.equal({
        user: 'alice',
        password: 'a:b',
      });
    });
  }

  it('refuse credentials that are none, and one password for both directions', () => {
    expect(() => iscsiSettings({ iscsi: [], chap: 'alice' })).to.throw('--chap: write USER:PASSWORD');
    expect(() => iscsiSettings({ iscsi: [], mutualChap: 'bob:x' })).to.throw('needs --chap');
    expect(() => iscsiSettings({ iscsi: [], chap: 'alice:x', mutualChap: 'bob:x' })).to.throw('must differ');
  });

  it('make names and URLs that initiators take', () => {
    const name = iscsiName('user_0.My Disk');
    expect(name).to.equal('iqn.2026-11.org.lunette:user-0.my-disk');
    expect(iscsiUrl({ host: '::1', port: 3260 }, name)).to.equal(`iscsi://[::1]:3260/${name}/0`);
  });
});
