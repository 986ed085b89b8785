import { expect } from 'chai';
import { header, mailbox, request, tmr, tmrType } from '../../src/ring/abi.js';
import type { RingErrorCode } from '../../src/ring/ring-error.js';
import { sixByteCdb, SMALL_ENTRY, startRing, TestRegion, turn, type Started } from './support.js';

function expectBroken({ ring, recorder }: Started, code: RingErrorCode, message: RegExp): void {
  expect(recorder.broken.map((error) => error.code)).to.deep.equal([code]);
  expect(recorder.broken[0].message).to.match(message);
  expect(ring.broken).to.equal(recorder.broken[0]);
}

/** A ring whose entry at 0 is answered, that at SMALL_ENTRY runs, and the next is about to be fetched. */
function busyRing(): Started & { at: number } {
  const started = startRing(new TestRegion(4096, 65536));
  const { region, recorder } = started;
  region.command(1);
  region.command(2);
  region.wake();
  recorder.commands[0].complete(0);
  return { ...started, at: region.entryAt(2 * SMALL_ENTRY) };
}

describe('broken ring', () => {
  type Spoil = (view: DataView, at: number, region: TestRegion) => void;
  const iov = request.iov;
  const cases: [string, Spoil, RegExp][] = [
    ['a head beyond the ring', (view) => view.setUint32(mailbox.head, 4096, true), /head 4096/],
    ['an odd head', (view) => view.setUint32(mailbox.head, 364, true), /head 364/],
    ['the greatest head', (view) => view.setUint32(mailbox.head, 0xffff_ffff, true), /head 4294967295/],
    ['no length', (view, at) => view.setUint32(at, 1, true), /at 240 says 0 bytes/],
    ['a length beyond the head', (view, at) => view.setUint32(at, 256 | 1, true), /says 256 bytes, 120 are/],
    ['a huge length', (view, at) => view.setUint32(at, 0xffff_fff9, true), /says 4294967288 bytes/],
    ['a command shorter than its struct', (view, at) => view.setUint32(at, 104 | 1, true), /has 104 bytes/],
    ['a PAD beyond the head', (view, at) => view.setUint32(at, 1024, true), /says 1024 bytes/],
    ['command id 0', (view, at) => view.setUint16(at + header.commandId, 0, true), /id 0, which is none/],
    [
      'the id of a command that runs',
      (view, at) => view.setUint16(at + header.commandId, 2, true),
      /id 2, which runs already/,
    ],
    ['too many iovecs', (view, at) => view.setUint32(at + request.iovCount, 5, true), /5 \+ 0 iovecs/],
    [
      'too many BIDI iovecs',
      (view, at) => view.setUint32(at + request.bidiIovCount, 0xffff_ffff, true),
      /\+ 4294967295 iovecs/,
    ],
    [
      'counts whose sum has 33 bits',
      (view, at) => {
        view.setUint32(at + request.iovCount, 0xffff_ffff, true);
        view.setUint32(at + request.bidiIovCount, 1, true);
      },
      /4294967295 \+ 1 iovecs/,
    ],
    [
      'a CDB before the entry',
      (view, at) => view.setUint32(at + request.cdbOffset, at - 8, true),
      /CDB .* outside/,
    ],
    [
      'a CDB inside the iovecs',
      (view, at) => view.setUint32(at + request.cdbOffset, at + 48, true),
      /CDB .* outside/,
    ],
    [
      'a CDB behind the entry',
      (view, at) => view.setUint32(at + request.cdbOffset, at + SMALL_ENTRY, true),
      /CDB .* outside/,
    ],
    [
      'a CDB beyond 4 GiB',
      (view, at) => view.setUint32(at + request.cdbOffset + 4, 1, true),
      /CDB .* outside/,
    ],
    ['an iovec in the mailbox', (view, at) => view.setUint32(at + iov, 0, true), /iovec of 512 bytes at 0 /],
    [
      'an iovec in the ring',
      (view, at, region) => view.setUint32(at + iov, region.dataOffset - 1, true),
      /outside the data area/,
    ],
    [
      'an iovec beyond the region',
      (view, at, region) => view.setUint32(at + iov, region.buffer.byteLength - 511, true),
      /outside the data area/,
    ],
    ['an iovec beyond 4 GiB', (view, at) => view.setUint32(at + iov + 4, 1, true), /outside the data area/],
    [
      'an iovec whose end wraps 64 bits',
      (view, at) => {
        view.setBigUint64(at + iov, 0xffff_ffff_ffff_ff00n, true);
        view.setBigUint64(at + iov + 8, 0x200n, true);
      },
      /outside the data area/,
    ],
    [
      'an iovec of 4 GiB',
      (view, at) => view.setUint32(at + iov + 12, 1, true),
      /iovec of 4294967808 bytes .* outside/,
    ],
  ];

  for (const [what, spoil, message] of cases) {
    it(`comes of ${what}; what was answered is published`, async () => {
      const started = busyRing();
      const { ring, region, recorder, at } = started;
      region.writer.writeCommand(3, sixByteCdb, [{ offset: region.dataOffset, length: 512 }], []);
      spoil(region.view, at, region);
      region.wake();

      expectBroken(started, 'BAD_ENTRY', message);
      expect(recorder.ids).to.deep.equal([1, 2]);
      expect(region.tails).to.deep.equal([SMALL_ENTRY]);

      // Nothing more is fetched, and a late answer goes nowhere.
      region.wake();
      ring.pause();
      ring.resume();
      recorder.commands[1].complete(0);
      await turn();
      expect(recorder.ids).to.deep.equal([1, 2]);
      expect(recorder.broken).to.have.length(1);
      expect(region.tails).to.deep.equal([SMALL_ENTRY]);
      expect(ring.inFlight).to.equal(0);
      await ring.whenIdle();
      ring.close();
    });
  }

  it('comes of a bad BIDI iovec behind a good one', () => {
    const started = startRing();
    const { region } = started;
    const good = { offset: region.dataOffset, length: 512 };
    region.writer.writeCommand(1, sixByteCdb, [good], [{ offset: 64, length: 8 }]);
    region.wake();
    expectBroken(started, 'BAD_ENTRY', /iovec of 8 bytes at 64 /);
    expect(started.recorder.ids).to.deep.equal([]);
  });

  it('comes of an entry that would cross the end of the ring', () => {
    const started = startRing(new TestRegion(2 * SMALL_ENTRY + 64));
    const { region, recorder } = started;
    recorder.answer = (command) => command.complete(0);
    for (const id of [1, 2]) {
      region.command(id);
      region.wake();
    }
    region.command(3);
    region.view.setUint32(region.entryAt(2 * SMALL_ENTRY), 72, true);
    region.wake();
    expectBroken(started, 'BAD_ENTRY', /at 240 says 72 bytes, 64 are there/);
  });

  it('comes of a task management entry too short for its ids', () => {
    const started = startRing();
    const { region } = started;
    region.writer.writeTaskManagement(tmrType.abortTask, [1, 2, 3, 4]);
    region.view.setUint32(region.entryAt(0) + tmr.commandCount, 5, true);
    region.wake();
    expectBroken(started, 'BAD_ENTRY', /40 bytes says 5 command ids/);
  });

  it('comes of a task management entry without its struct', () => {
    const started = startRing();
    const { region } = started;
    region.writer.writeRaw(Uint8Array.of(8 | 2, 0, 0, 0, 0, 0, 0, 0));
    region.wake();
    expectBroken(started, 'BAD_ENTRY', /task management entry of 8 bytes/);
    expect(started.recorder.taskManagement).to.deep.equal([]);
  });

  it('hands out the good entries before a bad one, and publishes their answers', () => {
    const started = startRing();
    const { region, recorder } = started;
    recorder.answer = (command) => command.complete(0);
    region.command(1);
    region.command(1);
    region.command(0);
    region.wake();
    expectBroken(started, 'BAD_ENTRY', /id 0/);
    expect(recorder.ids).to.deep.equal([1, 1]);
    expect(region.tails).to.deep.equal([2 * SMALL_ENTRY]);
    expect(region.kicks).to.equal(1);
  });

  it('comes of a device that was removed', async () => {
    const started = startRing();
    const { ring, region, recorder } = started;
    region.command(1);
    region.wake();
    const cause = new Error('EIO: the device was removed');
    region.wake(cause);
    expectBroken(started, 'REGION_FAILED', /EIO/);
    expect(ring.broken?.cause).to.equal(cause);
    recorder.commands[0].complete(0);
    await turn();
    expect(region.tails).to.deep.equal([]);
  });

  for (const when of ['in a batch', 'at once', 'later'] as const) {
    it(`comes of a doorbell that fails ${when}`, async () => {
      const started = startRing();
      const { region, recorder } = started;
      region.kickError = new Error('EIO: write failed');
      if (when === 'in a batch') recorder.answer = (command) => command.complete(0);
      region.command(1);
      region.command(2);
      region.wake();
      if (when === 'later') recorder.commands[0].complete(0);
      if (when === 'at once') for (const command of recorder.commands) command.complete(0);
      await turn();
      expectBroken(started, 'REGION_FAILED', /EIO: write failed/);
    });
  }

  it('tells of the doorbell, not of the bad entry, where both fail', () => {
    const started = startRing();
    const { region, recorder } = started;
    region.kickError = new Error('EIO: write failed');
    recorder.answer = (command) => command.complete(0);
    region.command(1);
    region.command(0);
    region.wake();
    expectBroken(started, 'REGION_FAILED', /EIO/);
  });
});
