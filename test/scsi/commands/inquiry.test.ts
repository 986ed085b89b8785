import { expect } from 'chai';
import * as cdb from '../../../src/scsi/cdb.js';
import { TargetPortGroups } from '../../../src/scsi/target-port-groups.js';
import { TestDisk, diskWith } from '../support/disk.js';
import { good, readyUnit, refused, submit, TestCommand } from '../support/unit.js';

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

describe('INQUIRY', () => {
  it('tells what the unit is and what it conforms to', async () => {
    const data = await good(readyUnit(new TestDisk()), cdb.inquiry(255));
    expect(data).to.have.length(96);
    expect([...data.subarray(0, 8)]).to.deep.equal([0x00, 0x00, 0x06, 0x02, 91, 0x08, 0x00, 0x02]);
    expect(text(data.subarray(8, 16))).to.equal('LUNETTE ');
    expect(text(data.subarray(16, 32))).to.equal('DISK            ');
    expect(text(data.subarray(32, 36))).to.equal('0001');
    expect(text(data.subarray(36, 58))).to.equal('\0'.repeat(22));
    expect(Buffer.from(data.subarray(58, 66)).toString('hex')).to.equal('00a0046004c00000');
  });

  it('claims iSCSI where it came through an iSCSI port, and access states where there are port groups', async () => {
    const port = { relativeId: 1, group: 1, name: 'iqn.test:target,t,0x0001' };
    const unit = readyUnit(new TestDisk(), { portGroups: new TargetPortGroups([port]) });
    const through = { name: 'iqn.test:one', port };
    const data = await good(unit, cdb.inquiry(96), undefined, { nexus: through });
    expect(Buffer.from(data.subarray(58, 68)).toString('hex')).to.equal('00a0046004c009600000');
    expect([...data.subarray(5, 7)]).to.deep.equal([0x38, 0]);
    const several = new TargetPortGroups([port, { ...port, relativeId: 2 }]);
    const multiple = await good(readyUnit(new TestDisk(), { portGroups: several }), cdb.inquiry(96));
    expect(multiple[6], 'MULTIP').to.equal(0x10);
  });

  it('cuts long names, fills short ones with blanks, and replaces what is not ASCII', async () => {
    const unit = readyUnit(new TestDisk(), { vendor: 'ÄCME & SONS', product: 'X', revision: '12345' });
    const data = await good(unit, cdb.inquiry(96));
    expect(text(data.subarray(8, 36))).to.equal(`?CME & S${'X'.padEnd(16)}1234`);
  });

  it('cuts the data to the allocation length', async () => {
    const data = await good(readyUnit(new TestDisk()), cdb.inquiry(5));
    expect([...data]).to.deep.equal([0x00, 0x00, 0x06, 0x02, 91]);
    expect(await good(readyUnit(new TestDisk()), cdb.inquiry(0))).to.have.length(0);
  });

  it('zeroes the rest of the buffer, which may hold old data of another command', async () => {
    const segments = [new Uint8Array(50).fill(0xee), new Uint8Array(100).fill(0xee)];
    const command = new TestCommand(cdb.inquiry(60), { in: segments });
    const { readLength } = await submit(readyUnit(new TestDisk()), command);
    expect(readLength).to.equal(60);
    expect(segments[0][0]).to.equal(0);
    expect(text(segments[0].subarray(8, 15))).to.equal('LUNETTE');
    expect([...segments[1].subarray(8, 10)]).to.deep.equal([0x00, 0xa0]);
    expect(segments[1].subarray(10).every((byte) => byte === 0)).to.equal(true);
  });

  it('refuses a page code without EVPD, CMDDT, and pages it does not have', async () => {
    const unit = readyUnit(new TestDisk());
    const { field } = await refused('5/24/00', unit, [0x12, 0, 0x80, 0, 255, 0]);
    expect(field).to.deep.equal({ inCdb: true, byte: 2 });
    expect((await refused('5/24/00', unit, [0x12, 2, 0, 0, 255, 0])).field).to.include({ byte: 1, bit: 1 });
    await refused('5/24/00', unit, cdb.inquiry(255, 0x84));
  });

  it('answers when the unit is stopped', async () => {
    const unit = readyUnit(diskWith(new TestDisk(), {}));
    await good(unit, [0x1b, 0, 0, 0, 0, 0]);
    expect(await good(unit, cdb.inquiry(36))).to.have.length(36);
  });
});
