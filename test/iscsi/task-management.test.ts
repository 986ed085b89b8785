import { expect } from 'chai';
import { read10, testUnitReady, write10 } from '../../src/scsi/cdb.js';
import { decodeSense } from '../../src/scsi/sense-data.js';
import { FINAL, taskManagementFunction as tmf } from '../../src/iscsi/pdu.js';
import { READ, WRITE, type RawInitiator } from './support/raw-initiator.js';
import { startTarget, type Fixture } from './support/target.js';

describe('iSCSI task management', () => {
  let fixture: Fixture;

  afterEach(() => fixture.close());

  interface Fields {
    lun?: number;
    referencedTaskTag?: number;
    refCmdSn?: number;
  }

  function sendRequest(initiator: RawInitiator, code: number, fields: Fields = {}): void {
    const lun = new Uint8Array(8);
    lun[1] = fields.lun ?? 0;
    initiator.send(
      'taskManagementRequest',
      { ...fields, flags: FINAL | code, lun, itt: 999, cmdSn: initiator.cmdSn },
      { immediate: true },
    );
  }

  async function manage(initiator: RawInitiator, code: number, fields: Fields = {}): Promise<number> {
    sendRequest(initiator, code, fields);
    const { values } = await initiator.expect('taskManagementResponse');
    expect(values.itt).to.equal(999);
    return values.response;
  }

  beforeEach(async () => {
    fixture = await startTarget();
  });

  it('aborts a command that runs, which is not answered', async () => {
    const initiator = await fixture.attach();
    fixture.disk.hold = true;
    const itt = initiator.sendCommand(read10(0, 1), { flags: FINAL | READ, length: 512 });
    await fixture.disk.whenHeld();
    expect(await manage(initiator, tmf.abortTask, { referencedTaskTag: itt })).to.equal(0);
    fixture.disk.release();
    expect(await initiator.run(testUnitReady())).to.include({ status: 0 });
  });

  it('aborts a command that waits for its data', async () => {
    const initiator = await fixture.attach();
    const itt = initiator.sendCommand(write10(0, 1), { flags: FINAL | WRITE, length: 512 });
    const { values } = await initiator.expect('readyToTransfer');
    expect(await manage(initiator, tmf.abortTask, { referencedTaskTag: itt, lun: 4 })).to.equal(1);
    expect(await manage(initiator, tmf.abortTask, { referencedTaskTag: itt })).to.equal(0);
    initiator.send('dataOut', { flags: FINAL, itt, ttt: values.ttt }, { data: Buffer.alloc(512, 1) });
    expect(await initiator.run(testUnitReady())).to.include({ status: 0 });
    expect(fixture.disk.bytes[0]).to.equal(0);
  });

  it('knows commands that are over from such as are still to come', async () => {
    const initiator = await fixture.attach();
    const { cmdSn } = initiator;
    expect(await manage(initiator, tmf.abortTask, { referencedTaskTag: 1, refCmdSn: cmdSn - 1 })).to.equal(1);
    expect(await manage(initiator, tmf.abortTask, { referencedTaskTag: 1, refCmdSn: cmdSn })).to.equal(1);
    // Sent, and lost on the way: its number must not hold up those after it.
    initiator.cmdSn += 1;
    const held = initiator.sendCommand(testUnitReady());
    sendRequest(initiator, tmf.abortTask, { referencedTaskTag: 70, refCmdSn: cmdSn });
    expect((await initiator.expect('scsiResponse')).values).to.include({ itt: held, status: 0 });
    expect((await initiator.expect('taskManagementResponse')).values.response).to.equal(0);
  });

  it('aborts all commands of the initiator', async () => {
    const initiator = await fixture.attach();
    const other = await fixture.attach({}, { initiatorName: 'iqn.2024-01.org.example:other' });
    fixture.disk.hold = true;
    for (const from of [initiator, other]) {
      from.sendCommand(read10(0, 1), { flags: FINAL | READ, length: 512, itt: 50 });
    }
    initiator.sendCommand(write10(8, 1), { flags: FINAL | WRITE, length: 512 });
    await initiator.expect('readyToTransfer');
    await fixture.disk.whenHeld(2);
    expect(await manage(initiator, tmf.abortTaskSet)).to.equal(0);
    fixture.disk.release();
    expect(await other.collect(50)).to.include({ status: 0 });
    expect(await initiator.run(testUnitReady())).to.include({ status: 0 });
  });

  for (const [what, code] of [
    ['CLEAR TASK SET', tmf.clearTaskSet],
    ['LOGICAL UNIT RESET', tmf.logicalUnitReset],
    ['TARGET WARM RESET', tmf.targetWarmReset],
  ] as const) {
    it(`${what} aborts the commands of all`, async () => {
      const initiator = await fixture.attach();
      const other = await fixture.attach({}, { initiatorName: 'iqn.2024-01.org.example:other' });
      fixture.disk.hold = true;
      other.sendCommand(read10(0, 1), { flags: FINAL | READ, length: 512 });
      const waiting = other.sendCommand(write10(8, 1), { flags: FINAL | WRITE, length: 512 });
      await other.expect('readyToTransfer');
      await fixture.disk.whenHeld();
      expect(await manage(initiator, code)).to.equal(0);
      expect(await other.collect(waiting)).to.include({ status: 0x40 });
      fixture.disk.release();
      const { status, sense } = await other.run(testUnitReady());
      expect(status).to.equal(2);
      expect(decodeSense(sense)).to.include({ key: 6 });
    });
  }

  it('TARGET COLD RESET ends the sessions as well', async () => {
    const initiator = await fixture.attach();
    const other = await fixture.attach({}, { initiatorName: 'iqn.2024-01.org.example:other' });
    expect(await manage(initiator, tmf.targetColdReset)).to.equal(0);
    await Promise.all([initiator.ended, other.ended]);
  });

  it('refuses the rest', async () => {
    const initiator = await fixture.attach();
    expect(await manage(initiator, tmf.taskReassign)).to.equal(4);
    expect(await manage(initiator, tmf.clearAca)).to.equal(5);
    expect(await manage(initiator, 77)).to.equal(5);
    expect(await manage(initiator, tmf.logicalUnitReset, { lun: 5 })).to.equal(2);
  });
});
