import { expect } from 'chai';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Predecessor, TakeOverServer, type TakeOverHost } from '../../src/daemon/take-over.js';
import { failureOf } from '../conformance/support.js';
import { Deferred } from '../scsi/support/unit.js';

describe('a take-over', () => {
  let folder: string;
  let path: string;
  let server: TakeOverServer;
  let events: string[];
  let refusal: string | undefined;
  let leaves: Deferred;
  let goesOn: Deferred;
  const lines: string[] = [];
  const note = (line: string): void => void lines.push(line);
  const log = { info: note, warn: note, error: note } as never;

  const host: TakeOverHost = {
    refusal: () => refusal,
    withdraw: async () => void events.push('withdraw'),
    handOver: async (device) => {
      events.push(`handOver ${device}`);
      return device === 'user_0/a' ? 1000 : undefined;
    },
    goOn: async () => {
      events.push('goOn');
      goesOn.resolve();
    },
    left: (successor) => {
      events.push(`left ${successor === process.pid}`);
      leaves.resolve();
    },
  };

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'lunette-take-over-'));
    path = join(folder, 'run/take-over.sock');
    events = [];
    refusal = undefined;
    leaves = new Deferred();
    goesOn = new Deferred();
    server = await TakeOverServer.start(path, host, log);
  });
  afterEach(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });

  const meet = async (): Promise<Predecessor> => (await Predecessor.connect(path))!;

  it('goes step by step, and ends with the old daemon leaving', async () => {
    expect(statSync(path).mode & 0o777).to.equal(0o600);
    const predecessor = await meet();
    await predecessor.withdraw();
    expect(existsSync(path)).to.equal(false);
    expect(await predecessor.handOver()).to.equal(undefined);
    expect(await predecessor.handOver('user_0/a')).to.equal(1000);
    expect(await predecessor.handOver('user_0/b')).to.equal(undefined);
    predecessor.done();
    await leaves.promise;
    expect(events).to.deep.equal([
      'withdraw',
      'handOver undefined',
      'handOver user_0/a',
      'handOver user_0/b',
      'left true',
    ]);
  });

  it('is of no daemon where none listens', async () => {
    expect(await Predecessor.connect(join(folder, 'none.sock'))).to.equal(undefined);
  });

  it('is refused with a reason', async () => {
    refusal = 'user_0/a: the data is in the memory of this process';
    const predecessor = await meet();
    const error = await failureOf(() => predecessor.withdraw());
    expect(error.message).to.match(/does not leave: user_0\/a: the data/);
    predecessor.close();
    expect(events).to.deep.equal([]);
    expect(existsSync(path)).to.equal(true);
  });

  for (const steps of [1, 2]) {
    it(`that fails after ${steps} of its steps has the old daemon go on`, async () => {
      const predecessor = await meet();
      await predecessor.withdraw();
      if (steps === 2) await predecessor.handOver('user_0/a');
      predecessor.close();
      await goesOn.promise;
      expect(events.at(-1)).to.equal('goOn');
    });
  }

  it('that was only asked about changes nothing', async () => {
    (await meet()).close();
    const predecessor = await meet();
    expect(events).to.deep.equal([]);
    predecessor.close();
  });

  it('is for one at a time', async () => {
    const first = await meet();
    const second = await meet();
    expect((await failureOf(() => second.withdraw())).message).to.match(/under way|hung up/);
    await first.withdraw();
    first.close();
    await goesOn.promise;
  });

  it('keeps its order: no step is left out, and what is no step is answered', async () => {
    for (const line of ['{"step":"handOver"}', '{"step":"done"}', 'null', '{', '[]', '{"step":7}']) {
      const socket = connect(path);
      socket.setEncoding('utf8').write(`${line}\n`);
      const [answer] = (await once(socket, 'data')) as [string];
      expect(JSON.parse(answer)).to.have.property('error');
      socket.destroy();
      await once(socket, 'close');
      await new Promise(setImmediate);
    }
    expect(events).to.deep.equal([]);
  });

  it('survives whoever says anything and leaves at any time', async () => {
    const step = JSON.stringify({ step: 'withdraw' });
    const garbage = [
      Buffer.alloc(2 * 1024 * 1024, 'x'),
      Buffer.alloc(2 * 1024 * 1024, '{}\n'),
      Buffer.from([0xff, 0xfe, 0xc3, 0x28, 0x0a, 0x00, 0x0a]),
      // The newline is missing.
      Buffer.from(step),
      Buffer.from(`${'['.repeat(100_000)}\n`),
      Buffer.from('{"step":"__proto__"}\n{"step":{"toString":1}}\n'),
    ];
    for (const bytes of garbage) {
      const socket = connect(path).on('error', () => undefined);
      const closed = new Promise((resolve) => socket.on('close', resolve));
      socket.on('data', () => undefined);
      socket.write(bytes);
      // The long ones are not waited for: the daemon hangs up.
      if (bytes.length < 2 ** 20) socket.destroySoon();
      await closed;
    }
    expect(events).to.deep.equal([]);
    // The one before is forgotten as soon as its connection is closed at this end, too.
    let predecessor: Predecessor;
    for (;;) {
      predecessor = await meet();
      const refused = await predecessor.withdraw().then(
        () => undefined,
        (error: Error) => error,
      );
      if (refused === undefined) break;
      expect(refused.message).to.match(/under way|hung up/);
    }
    expect(events).to.deep.equal(['withdraw']);
    predecessor.close();
    await goesOn.promise;
  });

  it('says so where the old daemon dies', async () => {
    const predecessor = await meet();
    const asked = failureOf(() => predecessor.withdraw());
    server.close();
    expect((await asked).message).to.match(/hung up/);
  });
});
