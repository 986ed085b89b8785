import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openJournal, removeJournal } from '../../src/daemon/journal-file.js';
import type { DeviceJournal } from '../../src/device/device-options.js';
import { thrownBy } from '../native/support/errors.js';
import { TestRegion } from '../ring/support.js';
import { tcmu } from './host/support.js';

describe('a device’s journal file', () => {
  let folder: string;
  let run: string;
  let path: string;
  let journal: DeviceJournal | undefined;
  const region = new TestRegion();

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'lunette-journal-'));
    run = join(folder, 'run');
    path = join(run, 'user_0.disk1.journal');
    mkdirSync(join(folder, 'class/uio/uio0'), { recursive: true });
  });
  afterEach(() => {
    journal?.close();
    journal = undefined;
    rmSync(folder, { recursive: true });
  });

  const open = (): DeviceJournal => {
    journal?.close();
    journal = openJournal(run, tcmu, region, { resetRing: () => undefined }, folder)!;
    return journal;
  };

  /** One that a daemon has used, and left. */
  function use(): Buffer {
    const { journal: used } = open();
    used.format(0);
    expect(open().journal.mismatch()).to.equal(undefined);
    journal?.close();
    journal = undefined;
    return readFileSync(path);
  }

  it('is made with its folder, for its owner alone, and is found again', () => {
    expect(open().journal.mismatch()).to.equal('there is no journal');
    expect(statSync(path).mode & 0o777).to.equal(0o600);
    use();
    removeJournal(run, tcmu);
    expect(existsSync(path)).to.equal(false);
    removeJournal(run, tcmu);
  });

  it('is not taken for that of a device which was made anew', () => {
    use();
    // The old folder stays, so that the new one gets another inode.
    mkdirSync(join(folder, 'kept'));
    execFileSync('mv', [join(folder, 'class/uio/uio0'), join(folder, 'kept')]);
    mkdirSync(join(folder, 'class/uio/uio0'));
    expect(open().journal.mismatch()).to.match(/of another device/);
  });

  it('is none where the file was truncated, or is garbage, and is used then', () => {
    const whole = use();
    for (const size of [0, 1, 4]) {
      truncateSync(path, size);
      const { journal: opened } = open();
      expect(opened.mismatch()).to.be.a('string');
      opened.format(0);
      expect(opened.mismatch()).to.equal(undefined);
      expect(statSync(path).size).to.equal(whole.length);
    }
    writeFileSync(path, Buffer.alloc(whole.length * 2, 0xa5));
    expect(open().journal.mismatch()).to.equal('the journal is of another version');
    writeFileSync(path, 'garbage');
    expect(open().journal.mismatch()).to.be.a('string');
  });

  it('that lost its second half is damaged or empty, and never read beyond', () => {
    const whole = use();
    truncateSync(path, 1024);
    const { journal: opened } = open();
    expect(statSync(path).size).to.equal(whole.length);
    expect(opened.isDamaged).to.equal(false);
    expect(opened.saved.load()).to.deep.equal([]);
  });

  const strangers: [string, string, () => void][] = [
    ['a symbolic link', 'ELOOP', () => symlinkSync(join(folder, 'other'), path)],
    ['a folder', 'EISDIR', () => mkdirSync(path)],
    ['a pipe', 'ENODEV', () => execFileSync('mkfifo', [path])],
  ];
  for (const [what, code, make] of strangers) {
    it(`is refused where there is ${what} in its place`, () => {
      mkdirSync(run);
      make();
      expect(thrownBy(open)).to.have.property('code', code);
      expect(existsSync(join(folder, 'other'))).to.equal(false);
    });
  }

  (process.getuid?.() === 0 ? it : it.skip)(
    'is refused where it is another user’s, and left as it is',
    () => {
      mkdirSync(run);
      writeFileSync(path, 'theirs');
      chownSync(path, 65534, 65534);
      expect(thrownBy(open)).to.include({ code: 'EPERM', path });
      expect(readFileSync(path, 'utf8')).to.equal('theirs');
    },
  );
});
