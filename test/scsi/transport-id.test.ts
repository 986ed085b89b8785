import { expect } from 'chai';
import { identify, identityOf, isPortTransportId } from '../../src/scsi/transport-id.js';
import { iscsiNexus, iscsiTransportId } from './support/nexus.js';

const longer = (bytes: Uint8Array, by: number): Uint8Array => {
  const padded = new Uint8Array(bytes.length + by);
  padded.set(bytes);
  padded[3] += by;
  return padded;
};

describe('the identity of an I_T nexus', () => {
  it('is that of its TransportID and target port', () => {
    const [first, again, other] = [1, 1, 2].map((port) => identify(iscsiNexus('iqn.test:a', port)));
    expect(first.id).to.equal(again.id);
    expect(first.id).not.to.equal(other.id);
    expect(first.idOnAllPorts).to.equal(other.idOnAllPorts);
    expect(first.lasting).to.equal(true);
  });

  it('does not depend on case and padding of an iSCSI name, but on the ISID', () => {
    const bytes = iscsiTransportId('iqn.test:a');
    const id = identityOf(bytes, 1).id;
    expect(identityOf(longer(bytes, 8), 1).id).to.equal(id);
    expect(identityOf(iscsiTransportId('IQN.Test:A'), 1).id).to.equal(id);
    expect(identityOf(iscsiTransportId('iqn.test:a', '400001370001'), 1).id).not.to.equal(id);
  });

  it('of another protocol is that of all bytes', () => {
    const [one, two] = [new Uint8Array(24), new Uint8Array(24)];
    two[23] = 1;
    expect(identityOf(one, 0).id).not.to.equal(identityOf(two, 0).id);
  });

  it('without a TransportID is the object', () => {
    const [one, two] = [{ name: 'same' }, { name: 'same' }];
    expect(identify(one).id).not.to.equal(identify(two).id);
    expect(identify(one).id).to.equal(identify(one).id);
    expect(identify(one).lasting).to.equal(false);
  });

  it('without a TransportID shows as a name of at most 223 bytes', () => {
    expect(identify({ name: 'x'.repeat(1000) }).transportId).to.have.length(4 + 224);
    expect(identify({ name: '' }).transportId).to.have.length(24);
  });
});

describe('a TransportID', () => {
  it('names an initiator port, of iSCSI by name and ISID', () => {
    const good = iscsiTransportId('iqn.test:a');
    expect(isPortTransportId(good)).to.equal(true);
    expect(isPortTransportId(new Uint8Array(24))).to.equal(true);
    const device = good.slice();
    device[0] = 0x05;
    const length = good.slice();
    length[3]++;
    const unterminated = good.slice().fill(0x61, 4);
    const noIsid = good.slice();
    noIsid.fill(0, 14);
    const format = new Uint8Array(24);
    format[0] = 0x40;
    for (const bad of [device, length, unterminated, noIsid, format, good.slice(0, 22), new Uint8Array(28)]) {
      expect(isPortTransportId(bad)).to.equal(false);
    }
    expect(isPortTransportId(longer(good, 256))).to.equal(false);
  });
});
