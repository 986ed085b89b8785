import { expect } from 'chai';
import * as cdb from '../../src/scsi/cdb.js';
import type { ModeStore, SavedModePages } from '../../src/scsi/mode-pages.js';
import { TestDisk } from './support/disk.js';
import { good, readyUnit, refused } from './support/unit.js';

const PS = 0x80;

/** The control page with D_SENSE, as a parameter list for MODE SELECT(6). */
const withDescriptorSense = Uint8Array.of(0, 0, 0, 0, 0x0a, 0x0a, 0x06, 0x10, 0, 0, 0, 0, 0, 0, 0, 0);
const length = withDescriptorSense.length;

function memory(pages?: SavedModePages): ModeStore & { pages?: SavedModePages } {
  const store = {
    pages,
    load: () => store.pages,
    save: (saved: SavedModePages) => void (store.pages = saved),
  };
  return store;
}

const controlPage = { page: 0x0a, noBlockDescriptor: true };

describe('saved mode pages', () => {
  it('are there where there is a store, and cannot be had without one', async () => {
    const unit = readyUnit(new TestDisk());
    await refused('5/24/00', unit, cdb.modeSelect6(length, true), withDescriptorSense);
    expect((await good(unit, cdb.modeSense6(controlPage)))[4]).to.equal(0x0a);
    const saving = readyUnit(new TestDisk(), { modeStore: memory() });
    const page = await good(saving, cdb.modeSense6({ ...controlPage, control: 3 }));
    expect([...page.subarray(4, 7)]).to.deep.equal([PS | 0x0a, 0x0a, 0x02]);
  });

  it('come back with the next power on, and with a reset', async () => {
    const modeStore = memory();
    const unit = readyUnit(new TestDisk(), { modeStore });
    await good(unit, cdb.modeSelect6(length, true), withDescriptorSense);
    expect((await good(unit, cdb.modeSense6({ ...controlPage, control: 3 })))[6]).to.equal(0x06);
    expect((await good(unit, cdb.modeSense6({ ...controlPage, control: 2 })))[6]).to.equal(0x02);
    const next = readyUnit(new TestDisk(), {
      modeStore: memory(JSON.parse(JSON.stringify(modeStore.pages)) as SavedModePages),
    });
    expect(next.modes.senseFormat).to.equal('descriptor');
    const fixed = withDescriptorSense.with(6, 0x02);
    await good(next, cdb.modeSelect6(length), fixed);
    expect(next.modes.senseFormat).to.equal('fixed');
    await next.reset();
    expect(next.modes.senseFormat).to.equal('descriptor');
  });

  it('are answered for when they are stored, and a failure is told', async () => {
    const failing = {
      load: () => undefined,
      save: () => Promise.reject(Object.assign(new Error('full'), { code: 'EIO' })),
    };
    const unit = readyUnit(new TestDisk(), { modeStore: failing });
    const { key } = await refused('3/0c/00', unit, cdb.modeSelect6(length, true), withDescriptorSense);
    expect(key).to.equal(3);
  });

  it('that are not there, too short, or of another version change nothing but what they can', async () => {
    const control = `0a0aff10ffff${'00'.repeat(6)}`;
    for (const [pages, format] of [
      [{}, 'fixed'],
      [{ '0a': '0a0a' }, 'fixed'],
      [{ '0a': `0a0a0414${'00'.repeat(8)}` }, 'fixed'],
      [{ '0a': control }, 'descriptor'],
    ] as const) {
      const unit = readyUnit(new TestDisk(), { modeStore: memory(pages) });
      expect(unit.modes.senseFormat).to.equal(format);
      const [page] = [await good(unit, cdb.modeSense6(controlPage))];
      expect(page[6] & ~0x04, 'bits that cannot be changed').to.equal(0x02);
    }
  });

  for (const [what, load] of [
    ['are no object', () => 7],
    ['are null', () => null],
    ['are not hexadecimal', () => ({ '08': 'zz' })],
    ['are not text', () => ({ '08': [1] })],
    [
      'cannot be read',
      () => {
        throw new Error('gone');
      },
    ],
  ] as const) {
    it(`that ${what} are reported and not used`, () => {
      const log: string[] = [];
      const modeStore = { load, save: () => undefined } as unknown as ModeStore;
      const unit = readyUnit(new TestDisk(), { modeStore, log: (message) => void log.push(message) });
      expect(unit.modes.writeCacheEnabled).to.equal(true);
      expect(log).to.have.length(1);
      expect(log[0]).to.match(/^saved mode pages are not used/);
    });
  }
});
