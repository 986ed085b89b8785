import { expect } from 'chai';
import { Background } from '../../src/scsi/background.js';
import { commandTable } from '../../src/scsi/command-table.js';
import type { SenseError } from '../../src/scsi/sense.js';
import { Deferred } from './support/unit.js';

const named = (name: string) => commandTable.find((row) => row.name === name)!;
const codeOf = (run: () => void): number | undefined => {
  try {
    run();
  } catch (error) {
    return (error as SenseError).code;
  }
  return undefined;
};

describe('Background', () => {
  it('runs one operation at a time, and counts its progress up', async () => {
    const background = new Background();
    const done = new Deferred();
    let progress!: (share: number) => void;
    expect([background.running, background.progress, background.condition()]).to.deep.equal([
      undefined,
      undefined,
      undefined,
    ]);
    const finished = background.start('format', (task) => {
      ({ progress } = task);
      return done.promise;
    });
    expect([background.running, background.progress, background.blocking]).to.deep.equal(['format', 0, true]);
    await Promise.resolve();
    for (const [share, expected] of [
      [0.5, 0x8000],
      [0.25, 0x8000],
      [1, 0xffff],
      [7, 0xffff],
    ]) {
      progress(share);
      expect(background.progress).to.equal(expected);
    }
    expect(codeOf(() => void background.start('sanitize', () => Promise.resolve()))).to.equal(0x0404);
    done.resolve();
    await finished;
    expect([background.running, background.progress, background.blocking]).to.deep.equal([
      undefined,
      undefined,
      false,
    ]);
    progress(0.5);
    expect(background.progress).to.equal(undefined);
  });

  it('keeps off the medium what needs it, and lets through what repairs it', async () => {
    const background = new Background();
    const done = new Deferred();
    const finished = background.start('sanitize', () => done.promise);
    const refusedOnes = [
      'READ(10)',
      'TEST UNIT READY',
      'START STOP UNIT',
      'FORMAT UNIT',
      'SANITIZE, OVERWRITE',
    ];
    for (const name of refusedOnes)
      expect(
        codeOf(() => background.check(named(name))),
        name,
      ).to.equal(0x041b);
    for (const name of ['INQUIRY', 'REQUEST SENSE', 'READ CAPACITY(16)', 'REPORT LUNS', 'MODE SENSE(6)']) {
      expect(
        codeOf(() => background.check(named(name))),
        name,
      ).to.equal(undefined);
    }
    done.reject(new Error('broken'));
    expect(await finished.catch((error: Error) => error.message)).to.equal('broken');
    expect(background.blocking).to.equal(true);
    expect(codeOf(() => background.check(named('READ(10)')))).to.equal(0x3103);
    for (const name of ['FORMAT UNIT', 'SANITIZE, OVERWRITE', 'INQUIRY']) {
      expect(
        codeOf(() => background.check(named(name))),
        name,
      ).to.equal(undefined);
    }
    await background.start('format', () => Promise.resolve());
    expect(background.blocking).to.equal(false);
  });

  it('takes what a job throws at once for a failure like any other', async () => {
    const background = new Background();
    const finished = background.start('format', () => {
      throw new Error('at once');
    });
    expect(await finished.catch((error: Error) => error.message)).to.equal('at once');
    expect(codeOf(() => background.check(named('READ(10)')))).to.equal(0x3100);
  });

  it('leaves a failure only as it was allowed to', async () => {
    for (const exitAllowed of [false, true]) {
      const background = new Background();
      expect(background.exitFailure(), 'nothing failed').to.equal(true);
      await background
        .start('sanitize', () => Promise.reject(new Error('no')), exitAllowed)
        .catch(() => undefined);
      expect(background.restricted).to.equal(!exitAllowed);
      expect(background.exitFailure()).to.equal(exitAllowed);
      expect(background.blocking).to.equal(!exitAllowed);
    }
  });

  it('ends with what runs, and then has nothing left', async () => {
    const background = new Background();
    await background.stop();
    const seen: boolean[] = [];
    void background
      .start('format', ({ context: { signal } }) => {
        seen.push(signal.aborted);
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error));
        });
      })
      .catch(() => undefined);
    await Promise.resolve();
    await background.stop();
    expect(seen).to.deep.equal([false]);
    expect(background.running).to.equal(undefined);
  });
});
