import { expect } from 'chai';
import { Succession } from '../../src/daemon/succession.js';
import type { Predecessor } from '../../src/daemon/take-over.js';
import { RecordingLog } from '../device/support.js';
import { failureOf } from '../conformance/support.js';
import { Deferred } from '../scsi/support/unit.js';

describe('the succession of a daemon', () => {
  const events: string[] = [];
  let log: RecordingLog;
  let succession: Succession;

  beforeEach(() => {
    events.length = 0;
    log = new RecordingLog();
    const predecessor = {
      handOver: async (name: string) => {
        events.push(`handOver ${name}`);
        return name === 'foreign' ? undefined : performance.timeOrigin + performance.now() - 5;
      },
    } as Predecessor;
    succession = new Succession(predecessor, log as never);
  });

  it('takes one device after the other, each opened before the next one is asked for', async () => {
    const opened = new Deferred();
    const first = succession.take('a', async () => {
      events.push('open a');
      await opened.promise;
      return 1;
    });
    const second = succession.take('b', async () => (events.push('open b'), 2));
    await new Promise(setImmediate);
    expect(events).to.deep.equal(['handOver a', 'open a']);
    opened.resolve();
    expect(await Promise.all([first, second])).to.deep.equal([1, 2]);
    expect(events).to.deep.equal(['handOver a', 'open a', 'handOver b', 'open b']);
    expect(log.lines.map((line) => line.split(':')[0])).to.deep.equal(['debug', 'info', 'debug', 'info']);
  });

  it('goes on with the next device where one cannot be opened', async () => {
    const error = await failureOf(() =>
      succession.take('a', () => Promise.reject(new Error('no such file'))),
    );
    expect(error.message).to.equal('no such file');
    expect(await succession.take('b', async () => 'open')).to.equal('open');
  });

  it('says nothing of a device that was not served before', async () => {
    expect(await succession.take('foreign', async () => 'open')).to.equal('open');
    expect(log.lines).to.deep.equal([]);
  });
});
