import { expect } from 'chai';
import { read10, testUnitReady } from '../../src/scsi/cdb.js';
import { FINAL, rejectReason, RESERVED_TAG } from '../../src/iscsi/pdu.js';
import { encodeText, parseText } from '../../src/iscsi/text-keys.js';
import { READ, TARGET_NAME, type RawInitiator } from './support/raw-initiator.js';
import { startTarget, type Fixture } from './support/target.js';

const portals = [{ host: '127.0.0.1', port: 0 }];

describe('iSCSI discovery and text requests', () => {
  let fixture: Fixture;

  afterEach(() => fixture.close());

  function ask(initiator: RawInitiator, text: Record<string, string>, fields = {}): void {
    initiator.send(
      'textRequest',
      { flags: FINAL, itt: 5, ttt: RESERVED_TAG, cmdSn: initiator.cmdSn++, ...fields },
      { data: encodeText(Object.entries(text)) },
    );
  }

  it('lists the targets and where they are', async () => {
    fixture = await startTarget({ portals: [...portals, { host: '127.0.0.1', port: 0, relativeId: 7 }] });
    fixture.target.add({ name: 'iqn.2024-01.org.example:Other', luns: new Map() });
    const initiator = await fixture.connect();
    await initiator.login({ discovery: true });
    ask(initiator, { SendTargets: 'All' });
    const { values, data } = await initiator.expect('textResponse');
    expect(values).to.include({ flags: FINAL, ttt: RESERVED_TAG });
    const [first, second] = fixture.target.addresses;
    const addresses = [
      ['TargetAddress', `127.0.0.1:${first.port},1`],
      ['TargetAddress', `127.0.0.1:${second.port},7`],
    ];
    expect(parseText(data)).to.deep.equal([
      ['TargetName', TARGET_NAME],
      ...addresses,
      ['TargetName', 'iqn.2024-01.org.example:other'],
      ...addresses,
    ]);
    ask(initiator, { SendTargets: TARGET_NAME.toUpperCase() });
    expect(parseText((await initiator.expect('textResponse')).data)[0][1]).to.equal(TARGET_NAME);
    for (const value of ['', 'Alle', 'A', 'iqn.nobody']) {
      ask(initiator, { SendTargets: value });
      expect((await initiator.expect('reject')).values.reason, value).to.equal(rejectReason.invalidPduField);
    }
  });

  it('has no SCSI commands, and no task management', async () => {
    fixture = await startTarget();
    const initiator = await fixture.connect();
    await initiator.login({ discovery: true });
    initiator.sendCommand(testUnitReady());
    expect((await initiator.expect('reject')).values.reason).to.equal(rejectReason.protocolError);
    initiator.send('taskManagementRequest', { flags: FINAL | 5, itt: 9 }, { immediate: true });
    expect((await initiator.expect('reject')).values.reason).to.equal(rejectReason.protocolError);
    expect(fixture.target.sessionCount).to.equal(0);
  });

  it('answers in several PDUs where the initiator takes no more, and takes several', async () => {
    fixture = await startTarget();
    for (let count = 0; count < 20; count++) {
      fixture.target.add({ name: `iqn.2024-01.org.example:target-${count}`, luns: new Map() });
    }
    const initiator = await fixture.connect();
    await initiator.login({ discovery: true, keys: { MaxRecvDataSegmentLength: '512' } });
    const text = encodeText([['SendTargets', 'All']]);
    const { cmdSn } = initiator;
    initiator.send(
      'textRequest',
      { flags: 0x40, itt: 5, ttt: RESERVED_TAG, cmdSn },
      { data: text.subarray(0, 5) },
    );
    const go = await initiator.expect('textResponse');
    expect(go.values.flags).to.equal(0);
    let { ttt } = go.values;
    initiator.send(
      'textRequest',
      { flags: FINAL, itt: 5, ttt, cmdSn: cmdSn + 1 },
      { data: text.subarray(5) },
    );
    const pieces: Buffer[] = [];
    for (let turn = 2; ; turn++) {
      const { values, data } = await initiator.expect('textResponse');
      expect(data.length).to.be.at.most(512);
      pieces.push(data);
      if (values.flags === FINAL) break;
      expect(values.flags).to.equal(0x40);
      ({ ttt } = values);
      initiator.send('textRequest', { flags: FINAL, itt: 5, ttt, cmdSn: cmdSn + turn });
    }
    expect(parseText(Buffer.concat(pieces)).filter(([key]) => key === 'TargetName').length).to.equal(21);
    expect(pieces.length).to.be.greaterThan(2);
  });

  it('tells a normal session of its own target only', async () => {
    fixture = await startTarget();
    fixture.target.add({ name: 'iqn.2024-01.org.example:other', luns: new Map() });
    const initiator = await fixture.attach();
    for (const value of ['All', '', TARGET_NAME]) {
      ask(initiator, { SendTargets: value });
      const { data } = await initiator.expect('textResponse');
      const names = parseText(data).filter(([key]) => key === 'TargetName');
      expect(names, value).to.deep.equal([['TargetName', TARGET_NAME]]);
    }
    ask(initiator, { SendTargets: 'iqn.2024-01.org.example:other' });
    expect((await initiator.expect('reject')).values.reason).to.equal(rejectReason.invalidPduField);
  });

  it('negotiates what may be negotiated later, and refuses what is no text', async () => {
    fixture = await startTarget();
    const initiator = await fixture.attach();
    ask(initiator, { MaxRecvDataSegmentLength: '512', MaxBurstLength: '512', Unheard: 'of' });
    const { data } = await initiator.expect('textResponse');
    expect(parseText(data)).to.deep.equal([
      ['MaxBurstLength', 'Reject'],
      ['Unheard', 'NotUnderstood'],
    ]);
    initiator.sendCommand(read10(0, 2), { flags: FINAL | READ, length: 1024 });
    expect((await initiator.expect('dataIn')).data.length).to.equal(512);
    await initiator.expect('dataIn');
    for (const fields of [{ flags: 0xc0 }, { ttt: 99 }]) {
      ask(initiator, { SendTargets: 'All' }, fields);
      expect((await initiator.expect('reject')).values.reason).to.equal(rejectReason.protocolError);
    }
    const { cmdSn } = initiator;
    initiator.send(
      'textRequest',
      { flags: FINAL, itt: 5, ttt: RESERVED_TAG, cmdSn },
      { data: Buffer.from('?') },
    );
    expect((await initiator.expect('reject')).values.reason).to.equal(rejectReason.protocolError);
  });

  it('shows the address by which an initiator came, where it listens on all', async () => {
    fixture = await startTarget({ portals: [{ host: '0.0.0.0', port: 0 }] });
    const initiator = await fixture.connect();
    await initiator.login({ discovery: true });
    initiator.send(
      'textRequest',
      { flags: FINAL, itt: 5, ttt: RESERVED_TAG, cmdSn: initiator.cmdSn },
      { data: encodeText([['SendTargets', 'All']]) },
    );
    const { data } = await initiator.expect('textResponse');
    expect(data.toString()).to.contain(`TargetAddress=127.0.0.1:${fixture.target.addresses[0].port},1`);
  });
});
