import { expect } from 'chai';
import fc from 'fast-check';
import { once } from 'node:events';
import { connect } from 'node:net';
import { inquiry, read10, testUnitReady, write10 } from '../../src/scsi/cdb.js';
import { encodePdu, FINAL, RESERVED_TAG } from '../../src/iscsi/pdu.js';
import { encodeText } from '../../src/iscsi/text-keys.js';
import { RawInitiator, READ, TARGET_NAME, WRITE } from './support/raw-initiator.js';
import { startTarget, type Fixture } from './support/target.js';

/** How many mutated PDUs are sent. */
const COUNT = Number(process.env.ISCSI_MUTATIONS ?? 20_000);
const PDUS_PER_CONNECTION = 50;

const loginText = encodeText([
  ['InitiatorName', 'iqn.2024-01.org.example:mutant'],
  ['TargetName', TARGET_NAME],
  ['AuthMethod', 'CHAP,None'],
  ['HeaderDigest', 'None,CRC32C'],
  ['MaxBurstLength', '65536'],
]);

/** The PDUs of a session as it should be; what is sent are these with some bytes changed. */
const samples: ((turn: number) => Buffer)[] = [
  (cmdSn) =>
    encodePdu('scsiCommand', { flags: FINAL | READ, itt: cmdSn, expectedDataTransferLength: 4096, cmdSn, cdb: read10(0, 8) }), // prettier-ignore
  (cmdSn) =>
    encodePdu('scsiCommand', { flags: FINAL | WRITE, itt: cmdSn, expectedDataTransferLength: 512, cmdSn, cdb: write10(0, 1) }, { data: new Uint8Array(512) }), // prettier-ignore
  (cmdSn) =>
    encodePdu('scsiCommand', { flags: WRITE, itt: cmdSn, expectedDataTransferLength: 2048, cmdSn, cdb: write10(0, 4) }), // prettier-ignore
  (cmdSn) => encodePdu('dataOut', { flags: FINAL, itt: cmdSn - 1, ttt: RESERVED_TAG }, { data: new Uint8Array(64) }), // prettier-ignore
  (cmdSn) => encodePdu('dataOut', { flags: FINAL, itt: cmdSn - 2, ttt: cmdSn & 7 }, { data: new Uint8Array(512) }), // prettier-ignore
  (cmdSn) =>
    encodePdu('scsiCommand', { flags: FINAL | READ, itt: cmdSn, expectedDataTransferLength: 255, cmdSn, cdb: inquiry(255) }, { immediate: true, ahs: new Uint8Array(8) }), // prettier-ignore
  (cmdSn) => encodePdu('nopOut', { flags: FINAL, itt: cmdSn, ttt: RESERVED_TAG, cmdSn }, { data: new Uint8Array(20) }), // prettier-ignore
  (cmdSn) =>
    encodePdu('textRequest', { flags: FINAL, itt: cmdSn, ttt: RESERVED_TAG, cmdSn }, { data: encodeText([['SendTargets', 'All']]) }), // prettier-ignore
  (cmdSn) =>
    encodePdu('taskManagementRequest', { flags: FINAL | 1, itt: cmdSn, referencedTaskTag: cmdSn - 1, cmdSn }, { immediate: true }), // prettier-ignore
  (cmdSn) => encodePdu('logoutRequest', { flags: FINAL | 2, itt: cmdSn, cmdSn }),
  () => encodePdu('snackRequest', { flags: FINAL }),
  () => encodePdu('loginRequest', { flags: 0x87 }, { immediate: true, data: loginText }),
];

interface Mutation {
  readonly sample: number;
  readonly changes: readonly (readonly [at: number, value: number])[];
  readonly cut: boolean;
}

const mutation: fc.Arbitrary<Mutation> = fc.record({
  sample: fc.nat(samples.length - 1),
  changes: fc.array(fc.tuple(fc.nat(63), fc.nat(255)), { maxLength: 3 }),
  cut: fc.integer({ min: 0, max: 60 }).map((chance) => chance === 0),
});

function mutate({ sample, changes, cut }: Mutation, turn: number): Buffer {
  const bytes = samples[sample](turn);
  for (const [at, value] of changes) {
    // The lengths are changed seldom: a wrong one ends the connection, and nothing after it is looked at.
    if (at >= 4 && at < 8 && value > 8) continue;
    if (at < bytes.length) bytes[at] = value;
  }
  return cut ? bytes.subarray(0, 20) : bytes;
}

describe('mutated PDUs and logins', () => {
  let fixture: Fixture;

  afterEach(() => fixture.close());

  async function throwAt(bytes: Buffer): Promise<void> {
    const socket = connect({ port: fixture.target.addresses[0].port, host: '127.0.0.1' });
    socket.on('error', () => undefined);
    socket.resume();
    await once(socket, 'connect');
    socket.end(bytes);
    await once(socket, 'close');
  }

  it(`leave the target alive, and its memory flat (${COUNT})`, async function () {
    this.timeout(60_000 + COUNT * 2);
    fixture = await startTarget();
    const login = encodePdu(
      'loginRequest',
      { flags: 0x87, isid: Uint8Array.of(0, 1, 2, 3, 4, 5), cmdSn: 1 },
      {
        immediate: true,
        data: encodeText([
          ['InitiatorName', 'iqn.2024-01.org.example:mutant'],
          ['TargetName', TARGET_NAME],
        ]),
      },
    );
    const rounds = Math.ceil(COUNT / PDUS_PER_CONNECTION);
    const batches = fc.sample(
      fc.array(mutation, { minLength: PDUS_PER_CONNECTION, maxLength: PDUS_PER_CONNECTION }),
      Math.min(rounds, 400),
    );
    let before = 0;
    for (let round = 0; round < rounds; round++) {
      const batch = batches[round % batches.length];
      const initiator = await RawInitiator.connect(fixture.target.addresses[0]);
      initiator.socket.removeAllListeners('data');
      initiator.socket.write(login);
      await once(initiator.socket, 'data');
      initiator.socket.resume();
      initiator.socket.end(Buffer.concat(batch.map((each, turn) => mutate(each, turn + 1))));
      await initiator.ended;
      if (round === rounds >> 1) before = process.memoryUsage().rss;
    }
    const after = process.memoryUsage().rss;
    expect(after - before).to.be.below(64 * 1024 * 1024);
    expect(fixture.target.connectionCount).to.equal(0);
    expect(fixture.target.sessionCount).to.equal(0);
    const sound = await fixture.attach();
    expect(await sound.run(testUnitReady())).to.include({ status: 0 });
  });

  it('of logins are refused or taken, and the target goes on', async function () {
    this.timeout(60_000 + COUNT * 2);
    fixture = await startTarget({ auth: { user: 'a', password: 'b' } });
    const rounds = Math.ceil(COUNT / 100);
    const logins = fc.sample(
      fc.record({
        changes: fc.array(fc.tuple(fc.nat(47 + loginText.length), fc.nat(255)), { maxLength: 4 }),
        flags: fc.nat(255),
      }),
      rounds,
    );
    for (const { changes, flags } of logins) {
      const bytes = encodePdu('loginRequest', { flags, cmdSn: 1 }, { immediate: true, data: loginText });
      for (const [at, value] of changes) if (at < 4 || at > 7) bytes[at] = value;
      await throwAt(Buffer.concat([bytes, bytes]));
    }
    expect(fixture.target.sessionCount).to.equal(0);
    expect(fixture.target.connectionCount).to.equal(0);
  });

  it('any bytes at all close the connection at most', async () => {
    fixture = await startTarget();
    for (const bytes of fc.sample(fc.uint8Array({ minLength: 1, maxLength: 400 }), 200)) {
      await throwAt(Buffer.from(bytes));
    }
    const sound = await fixture.attach();
    expect(await sound.run(testUnitReady())).to.include({ status: 0 });
  });
});
