import { expect } from 'chai';
import { connect } from 'node:net';
import { once } from 'node:events';
import { inquiry, read10, testUnitReady, write10 } from '../../src/scsi/cdb.js';
import { LogicalUnit } from '../../src/scsi/logical-unit.js';
import { decodeSense } from '../../src/scsi/sense-data.js';
import { IscsiTarget } from '../../src/iscsi/iscsi-target.js';
import { FINAL, RESERVED_TAG, taskManagementFunction as tmf } from '../../src/iscsi/pdu.js';
import { READ, TARGET_NAME, WRITE } from './support/raw-initiator.js';
import { BufferDisk, startTarget, type Fixture } from './support/target.js';

const portals = [{ host: '127.0.0.1', port: 0 }];

async function failure(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'success',
    (error: Error) => error.message,
  );
}

describe('the iSCSI target', () => {
  let fixture: Fixture;

  afterEach(() => fixture.close());

  describe('sessions', () => {
    it('log out', async () => {
      fixture = await startTarget();
      const initiator = await fixture.attach({}, { cid: 3 });
      const logout = (flags: number, cid: number): void =>
        initiator.send('logoutRequest', { flags: FINAL | flags, itt: 8, cid, cmdSn: initiator.cmdSn++ });
      logout(2, 3);
      expect((await initiator.expect('logoutResponse')).values.response).to.equal(2);
      logout(1, 4);
      expect((await initiator.expect('logoutResponse')).values.response).to.equal(1);
      logout(1, 3);
      expect((await initiator.expect('logoutResponse')).values.response).to.equal(0);
      await initiator.ended;
      expect(fixture.target.sessionCount).to.equal(0);
    });

    it('of different initiators each have their unit attention', async () => {
      fixture = await startTarget();
      const first = await fixture.attach();
      const second = await fixture.connect();
      await second.login({ initiatorName: 'iqn.2024-01.org.example:second' });
      expect(fixture.target.sessionCount).to.equal(2);
      const { status, sense } = await second.run(testUnitReady());
      expect(status).to.equal(2);
      expect(decodeSense(sense)).to.include({ key: 6, code: 0x2900 });
      expect(await first.run(testUnitReady())).to.include({ status: 0 });
    });

    it('replace an earlier one of the same initiator port, whose commands are aborted', async () => {
      fixture = await startTarget();
      const first = await fixture.attach();
      fixture.disk.hold = true;
      first.sendCommand(read10(0, 1), { flags: FINAL | READ, length: 512 });
      await fixture.disk.whenHeld();
      const second = await fixture.connect();
      await second.login();
      await first.ended;
      expect(fixture.target.sessionCount).to.equal(1);
      fixture.disk.release();
      expect((await second.run(testUnitReady())).status).to.equal(2);
    });

    it('of another port, or with another ISID, stand beside it', async () => {
      fixture = await startTarget({ portals: [...portals, ...portals] });
      await fixture.attach();
      const second = await fixture.connect();
      await second.login({ isid: Uint8Array.of(0x80, 0, 0, 0, 0, 9) });
      const third = await fixture.connect(1);
      const { TargetPortalGroupTag: tag } = await third.login();
      expect(tag).to.equal('2');
      expect(fixture.target.sessionCount).to.equal(3);
    });

    it('have one connection each', async () => {
      fixture = await startTarget();
      const first = await fixture.attach({}, { cid: 1 });
      const { tsih } = first;
      expect(tsih).to.be.greaterThan(0);
      const beside = await fixture.connect();
      expect(await failure(beside.login({ tsih, cid: 2 }))).to.contain('0206');
      const nowhere = await fixture.connect();
      expect(await failure(nowhere.login({ tsih: 4711, cid: 2 }))).to.contain('020a');
      const other = await fixture.connect();
      expect(await failure(other.login({ tsih, initiatorName: 'iqn.other' }))).to.contain('020a');
      const again = await fixture.connect();
      await again.login({ tsih, cid: 1 });
      expect(again.tsih).to.equal(tsih);
      await first.ended;
      expect(fixture.target.sessionCount).to.equal(1);
    });

    it('that many log in to at once: the last one stays', async () => {
      fixture = await startTarget();
      const initiators = await Promise.all([1, 2, 3, 4].map(() => fixture.connect()));
      await Promise.allSettled(initiators.map((initiator) => initiator.login()));
      expect(fixture.target.sessionCount).to.equal(1);
    });
  });

  describe('LUNs', () => {
    it('that are not there', async () => {
      fixture = await startTarget();
      const initiator = await fixture.attach();
      const { data } = await initiator.run(inquiry(255), 255, 3);
      expect(data[0]).to.equal(0x7f);
      expect(data.length).to.equal(36);
      const refused = await initiator.run(read10(0, 1), 512, 3);
      expect(decodeSense(refused.sense)).to.include({ key: 5, code: 0x2500 });
      const sense = await initiator.run(Uint8Array.of(3, 0, 0, 0, 252, 0), 252, 3);
      expect(sense.status).to.equal(0);
      expect(decodeSense(sense.data)).to.include({ key: 5, code: 0x2500 });
      const pages = await initiator.run(inquiry(255, 0x83), 255, 3);
      expect(decodeSense(pages.sense)).to.include({ key: 5, code: 0x2500 });
      const itt = initiator.sendCommand(write10(0, 8), { lun: 9, flags: FINAL | WRITE, length: 4096 });
      expect((await initiator.collect(itt)).status).to.equal(2);
    });

    it('are reported, all of them', async () => {
      fixture = await startTarget();
      const unit = new LogicalUnit(new BufferDisk(65536));
      const luns = new Map([300, 2].map((lun) => [lun, unit] as const));
      fixture.target.add({ name: 'iqn.2024-01.org.example:many', luns });
      const initiator = await fixture.connect();
      await initiator.login({ targetName: 'iqn.2024-01.org.example:MANY' });
      const reportLuns = (select: number, length: number): Uint8Array =>
        Uint8Array.of(0xa0, 0, select, 0, 0, 0, 0, 0, 0, length, 0, 0);
      const { data } = await initiator.run(reportLuns(0, 255), 255);
      expect(data.toString('hex')).to.equal('00000010000000000002000000000000412c000000000000');
      expect((await initiator.run(reportLuns(1, 255), 255)).data.length).to.equal(8);
      expect((await initiator.run(reportLuns(0, 16), 255)).data.length).to.equal(16);
      expect((await initiator.run(reportLuns(0, 15), 255)).status).to.equal(2);
      expect((await initiator.run(reportLuns(0x55, 255), 255)).status).to.equal(2);
      await initiator.clearAttention(2);
    });
  });

  describe('keeps itself alive', () => {
    it('by dropping what is no login', async () => {
      fixture = await startTarget();
      for (const bytes of [Buffer.from('GET / HTTP/1.1\r\n\r\n'.padEnd(64)), Buffer.alloc(48)]) {
        const initiator = await fixture.connect();
        initiator.socket.write(bytes);
        await initiator.ended;
      }
      expect(fixture.log.filter((line) => line.includes('dropped')).length).to.equal(2);
    });

    it('by dropping logins that come to no end, and pings that are not answered', async () => {
      fixture = await startTarget({ times: { login: 60, pingAfter: 60, pingTimeout: 60 } });
      const silent = await fixture.connect();
      const initiator = await fixture.attach();
      const discovery = await fixture.connect();
      await discovery.login({ discovery: true });
      const { values } = await initiator.expect('nopIn');
      expect(values.itt).to.equal(RESERVED_TAG);
      expect(values.ttt).not.to.equal(RESERVED_TAG);
      initiator.send(
        'nopOut',
        { flags: FINAL, itt: RESERVED_TAG, ttt: values.ttt, cmdSn: initiator.cmdSn },
        { immediate: true },
      );
      await initiator.expect('nopIn');
      await Promise.all([silent.ended, initiator.ended, discovery.ended]);
      expect(fixture.log.join()).to.contain('takes too long').and.to.contain('does not answer');
    });

    it('by refusing connections beyond a bound', async () => {
      fixture = await startTarget({ maxConnections: 1 });
      await fixture.attach();
      const second = await fixture.connect();
      await second.ended;
      expect(fixture.target.connectionCount).to.equal(1);
    });

    it('by letting commands wait for memory', async () => {
      fixture = await startTarget({ memoryPerSession: 256 * 1024 });
      const initiator = await fixture.attach({ MaxRecvDataSegmentLength: '262144' });
      fixture.disk.hold = true;
      const length = 128 * 1024;
      const itts = [1, 2, 3, 4].map(() =>
        initiator.sendCommand(read10(0, 256), { flags: FINAL | READ, length }),
      );
      await fixture.disk.whenHeld();
      expect(fixture.disk.held.length).to.equal(1);
      fixture.disk.release();
      for (const itt of itts) expect((await initiator.collect(itt)).data.length).to.equal(length);
      const write = initiator.sendCommand(write10(0, 1), { flags: FINAL | WRITE, length: 512 });
      await initiator.expect('readyToTransfer');
      const waiting = initiator.sendCommand(read10(0, 1024), { flags: FINAL | READ, length: 512 * 1024 });
      initiator.send(
        'taskManagementRequest',
        { flags: FINAL | tmf.abortTask, referencedTaskTag: waiting, itt: 9, cmdSn: initiator.cmdSn },
        { immediate: true },
      );
      expect((await initiator.expect('taskManagementResponse')).values.response).to.equal(0);
      initiator.send('taskManagementRequest', { flags: FINAL | tmf.abortTask, referencedTaskTag: write, itt: 9, cmdSn: initiator.cmdSn }, { immediate: true }); // prettier-ignore
      await initiator.expect('taskManagementResponse');
      expect((await initiator.run(read10(0, 1024), 512 * 1024)).data.length).to.equal(512 * 1024);
    });

    it('though an initiator takes nothing of what it asks for', async () => {
      fixture = await startTarget({ memoryPerSession: 1024 * 1024 });
      const slow = await fixture.attach();
      const quick = await fixture.attach({}, { initiatorName: 'iqn.2024-01.org.example:quick' });
      slow.socket.pause();
      for (let count = 0; count < 64; count++) {
        slow.sendCommand(read10(0, 1024), { flags: FINAL | READ, length: 512 * 1024, immediate: true });
      }
      for (let count = 0; count < 50; count++) {
        expect((await quick.run(read10(0, 8), 4096)).data.length).to.equal(4096);
      }
      slow.socket.resume();
      for (let count = 0; count < 64; count++) {
        let pdu = await slow.expect('dataIn');
        while ((pdu.values.flags & 0x01) === 0) pdu = await slow.expect('dataIn');
      }
    });
  });

  it('asks initiators to log out when it closes', async () => {
    fixture = await startTarget({ logoutGrace: 5000 });
    const initiator = await fixture.attach();
    const closed = fixture.target.close();
    const { values } = await initiator.expect('asynchronousMessage');
    expect(values).to.include({ event: 1, parameter3: 5 });
    initiator.send('logoutRequest', { flags: FINAL, itt: 1, cmdSn: initiator.cmdSn });
    await initiator.expect('logoutResponse');
    await closed;
    expect(fixture.target.connectionCount).to.equal(0);
  });

  it('takes a target away', async () => {
    fixture = await startTarget();
    const initiator = await fixture.attach();
    await fixture.target.remove(TARGET_NAME);
    await initiator.ended;
    await fixture.target.remove('iqn.nobody');
    expect(fixture.target.targets).to.deep.equal([]);
    expect(await failure((await fixture.connect()).login())).to.contain('0203');
  });

  it('says which options are none', async () => {
    fixture = await startTarget();
    const { target } = fixture;
    const luns = new Map<number, LogicalUnit>();
    expect(() => target.add({ name: 'disk', luns })).to.throw(RangeError, 'no iSCSI name');
    expect(() => target.add({ name: TARGET_NAME, luns })).to.throw(RangeError, 'already');
    const wrong = new Map([[16384, fixture.unit]]);
    expect(() => target.add({ name: 'eui.0123456789abcdef', luns: wrong })).to.throw(RangeError, 'no LUN');
    const start = (auth: object): Promise<string> =>
      failure(IscsiTarget.start({ portals, auth: { user: 'a', password: 'b', ...auth } }));
    expect(await start({ user: '' })).to.contain('user');
    expect(await start({ mutualUser: 'x' })).to.contain('both');
    expect(await start({ mutualUser: 'x', mutualPassword: 'b' })).to.contain('differ');
    expect(await failure(IscsiTarget.start({ portals: [] }))).to.contain('portal');
    const [{ port }] = target.addresses;
    expect(await failure(IscsiTarget.start({ portals: [{ host: '127.0.0.1', port }] }))).to.contain(
      'EADDRINUSE',
    );
  });

  it('survives initiators that vanish', async () => {
    fixture = await startTarget();
    fixture.disk.hold = true;
    for (let count = 0; count < 10; count++) {
      const initiator = await fixture.attach({}, { isid: Uint8Array.of(0, 0, 0, 0, 0, count) });
      initiator.sendCommand(read10(0, 1), { flags: FINAL | READ, length: 512 });
      initiator.sendCommand(write10(0, 1), { flags: FINAL | WRITE, length: 512 });
      await fixture.disk.whenHeld(1);
      initiator.socket.resetAndDestroy();
      await initiator.ended;
    }
    fixture.disk.release();
    const socket = connect(fixture.target.addresses[0].port);
    await once(socket, 'connect');
    socket.destroy();
    const last = await fixture.attach();
    expect(await last.run(testUnitReady())).to.include({ status: 0 });
  });
});
