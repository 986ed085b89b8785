import { expect } from 'chai';
import * as cdb from '../../src/scsi/cdb.js';
import { additionalSense, senseKey, SenseError } from '../../src/scsi/sense.js';
import { scsiStatus } from '../../src/scsi/status.js';
import { diskWith, TestDisk } from './support/disk.js';
import { readyUnit, refused, run } from './support/unit.js';

const errno = (code: string): Error => Object.assign(new Error(`${code}: something`), { code });

/** What READ, WRITE and SYNCHRONIZE CACHE end with where the verb fails with `error`. */
async function answers(error: unknown, log?: (message: string) => void): Promise<string[]> {
  const fail = (): never => {
    throw error;
  };
  const unit = readyUnit(diskWith(new TestDisk(), { read: fail, write: fail, flush: fail }), { log });
  const commands: [number[] | Uint8Array, Uint8Array?][] = [
    [cdb.read10(0, 1)],
    [cdb.write10(0, 1), new Uint8Array(512)],
    [cdb.synchronizeCache10()],
  ];
  const results = [];
  for (const [bytes, dataOut] of commands) {
    const { status, sense } = await run(unit, bytes, dataOut);
    const [at] = [Buffer.from(sense)];
    results.push(
      status === scsiStatus.busy
        ? 'busy'
        : `${at[2].toString(16)}/${at.subarray(12, 13).toString('hex')}/${at.subarray(13, 14).toString('hex')}`,
    );
  }
  return results;
}

describe('what a failure of the handler tells the initiator', () => {
  const table: [string, string, string, string][] = [
    ['ENOSPC', '7/27/07', '7/27/07', '7/27/07'],
    ['EDQUOT', '7/27/07', '7/27/07', '7/27/07'],
    ['EFBIG', '7/27/07', '7/27/07', '7/27/07'],
    ['EIO', '3/11/00', '3/0c/00', '3/0c/00'],
    ['EROFS', '7/27/00', '7/27/00', '7/27/00'],
    ['EACCES', '4/44/00', '7/27/00', '7/27/00'],
    ['EPERM', '4/44/00', '7/27/00', '7/27/00'],
    ['ETIMEDOUT', 'b/2e/02', 'b/2e/02', 'b/2e/02'],
    ['ECANCELED', 'b/00/00', 'b/00/00', 'b/00/00'],
    ['ENODEV', '2/08/00', '2/08/00', '2/08/00'],
    ['ENXIO', '2/08/00', '2/08/00', '2/08/00'],
    ['ECONNRESET', '2/08/00', '2/08/00', '2/08/00'],
    ['ENOMEM', 'busy', 'busy', 'busy'],
    ['EAGAIN', 'busy', 'busy', 'busy'],
    ['EBUSY', 'busy', 'busy', 'busy'],
    ['EMFILE', 'busy', 'busy', 'busy'],
    ['EUNHEARDOF', '4/44/00', '4/44/00', '4/44/00'],
  ];
  for (const [code, ...expected] of table) {
    it(`${code} is ${[...new Set(expected)].join(', ')}`, async () => {
      expect(await answers(errno(code))).to.deep.equal(expected);
    });
  }

  it('an aborted or timed out signal is ABORTED COMMAND', async () => {
    expect(await answers(new DOMException('stop', 'AbortError'))).to.deep.equal(new Array(3).fill('b/00/00'));
    expect(await answers(new DOMException('late', 'TimeoutError'))).to.deep.equal(
      new Array(3).fill('b/2e/02'),
    );
  });

  it('a SenseError is passed on whole', async () => {
    const error = new SenseError(senseKey.mediumError, additionalSense.unrecoveredReadError, 'bad block', {
      information: 77,
    });
    const unit = readyUnit(diskWith(new TestDisk(), { read: () => Promise.reject(error) }));
    expect(await refused('3/11/00', unit, cdb.read10(77, 1))).to.include({ information: 77 });
  });

  it('a SenseError of another copy of the library is passed on as well', async () => {
    class Foreign extends Error {
      override readonly name = 'SenseError';
      readonly key = senseKey.notReady;
      readonly code = additionalSense.logicalUnitCommunicationFailure;
    }
    expect(await answers(new Foreign('gone'))).to.deep.equal(new Array(3).fill('2/08/00'));
  });

  const junk: [string, unknown][] = [
    ['a plain error', new Error('a bug')],
    ['undefined', undefined],
    ['null', null],
    ['a string', 'ENOSPC'],
    ['a symbol', Symbol('no')],
    ['an object without a prototype', Object.create(null)],
    ['a code that is a property of every object', errno('constructor')],
    [
      'an error whose properties throw',
      {
        get code(): string {
          throw new Error('not even that');
        },
      },
    ],
    [
      'a SenseError with a number that is none',
      new SenseError(senseKey.mediumError, 0x1100, 'odd', { information: 10n as unknown as number }),
    ],
  ];
  for (const [what, error] of junk) {
    it(`${what} is INTERNAL TARGET FAILURE, and logged`, async () => {
      const logged: string[] = [];
      expect(await answers(error, (message) => logged.push(message))).to.deep.equal(
        new Array(3).fill('4/44/00'),
      );
      expect(logged).to.have.length(3);
      expect(logged[0]).to.match(/^READ\(10\) failed: /);
    });
  }

  it('a log that fails does not keep the command from its answer', async () => {
    const broken = (): never => {
      throw new Error('disk full');
    };
    expect(await answers(new Error('a bug'), broken)).to.deep.equal(new Array(3).fill('4/44/00'));
  });
});
