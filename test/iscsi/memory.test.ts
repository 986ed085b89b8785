import { expect } from 'chai';
import { read10, testUnitReady, write10 } from '../../src/scsi/cdb.js';
import { FINAL, RESERVED_TAG, taskManagementFunction as tmf } from '../../src/iscsi/pdu.js';
import { READ, WRITE, type RawInitiator } from './support/raw-initiator.js';
import { startTarget, type Fixture } from './support/target.js';

const KIB = 1024;

describe('the memory of an iSCSI session', () => {
  let fixture: Fixture;
  let initiator: RawInitiator;

  /** Room for four commands of 64 KiB, which is FirstBurstLength. */
  beforeEach(async () => {
    fixture = await startTarget({ memoryPerSession: 256 * KIB });
    initiator = await fixture.attach({ InitialR2T: 'No', MaxRecvDataSegmentLength: '262144' });
  });
  afterEach(() => fixture.close());

  /** Commands that may be sent, as the target says. */
  async function windowWidth(): Promise<number> {
    initiator.send(
      'nopOut',
      { flags: FINAL, itt: 4242, ttt: RESERVED_TAG, cmdSn: initiator.cmdSn },
      { immediate: true },
    );
    const { values } = await initiator.expect('nopIn');
    return values.maxCmdSn - values.expCmdSn + 1;
  }

  async function abort(itt: number): Promise<void> {
    initiator.send(
      'taskManagementRequest',
      { flags: FINAL | tmf.abortTask, referencedTaskTag: itt, itt: 999, cmdSn: initiator.cmdSn },
      { immediate: true },
    );
    expect((await initiator.expect('taskManagementResponse')).values.response).to.equal(0);
  }

  it('is given back, however a command ends', async () => {
    expect(await windowWidth()).to.equal(4);
    await initiator.run(read10(0, 128), 64 * KIB);
    await initiator.run(read10(0, 1), 64 * KIB);
    await initiator.run(read10(0, 9999), 64 * KIB);
    await initiator.run(testUnitReady(), 64 * KIB, 7);
    const immediate = { flags: FINAL | WRITE, length: 4096, data: Buffer.alloc(4096) };
    await initiator.collect(initiator.sendCommand(write10(0, 8), immediate));
    await initiator.collect(initiator.sendCommand(write10(0, 8), { ...immediate, lun: 7 }));
    await initiator.collect(initiator.sendCommand(write10(0, 8), { ...immediate, length: 512 }));
    const solicited = initiator.sendCommand(write10(0, 128), { flags: FINAL | WRITE, length: 64 * KIB });
    const { ttt } = (await initiator.expect('readyToTransfer')).values;
    initiator.send('dataOut', { flags: FINAL, itt: solicited, ttt }, { data: Buffer.alloc(64 * KIB) });
    await initiator.collect(solicited);
    const collecting = initiator.sendCommand(write10(0, 128), { flags: FINAL | WRITE, length: 64 * KIB });
    await initiator.expect('readyToTransfer');
    expect(await windowWidth()).to.be.below(4);
    await abort(collecting);
    fixture.disk.hold = true;
    const running = initiator.sendCommand(read10(0, 128), { flags: FINAL | READ, length: 64 * KIB });
    await fixture.disk.whenHeld();
    await abort(running);
    fixture.disk.release();
    expect(await windowWidth()).to.equal(4);
  });

  it('closes the window when it is used up, which a NOP-In opens again', async () => {
    const { socket } = initiator;
    socket.pause();
    // More than the socket's buffers take: what is not sent stays with the session, one command at a time.
    const length = 200 * KIB;
    const reads = 128;
    for (let count = 0; count < reads; count++) {
      initiator.sendCommand(read10(0, 400), { flags: FINAL | READ, length, immediate: true });
    }
    for (let count = 0; count < 4; count++) initiator.sendCommand(testUnitReady());
    await new Promise((resolve) => setImmediate(resolve));
    socket.resume();
    for (let count = 0; count < reads; count++) await initiator.expect('dataIn');
    let width = 1;
    for (let count = 0; count < 4; count++) {
      const { values } = await initiator.expect('scsiResponse');
      width = values.maxCmdSn - values.expCmdSn + 1;
    }
    expect(width).to.equal(0);
    const { values } = await initiator.expect('nopIn');
    expect(values.itt).to.equal(RESERVED_TAG);
    expect(values.maxCmdSn - values.expCmdSn + 1).to.be.greaterThan(0);
    expect(await initiator.run(testUnitReady())).to.include({ status: 0 });
  });
});
