import { expect } from 'chai';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import replicate from '../../examples/replicate.js';
import { configure } from '../../src/handlers/cfgstring.js';
import { RecordingLog, serve } from '../device/support.js';
import { pattern } from '../scsi/support/disk.js';

describe('examples/replicate.ts', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'lunette-replicate-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is at most 65 lines long', () => {
    const text = readFileSync(new URL('../../examples/replicate.ts', import.meta.url), 'utf8');
    expect(text.trimEnd().split('\n').length).to.be.at.most(65);
  });

  for (const freeKeptBuffer of [true, false]) {
    it(`copies what was written, ${freeKeptBuffer ? 'from held buffers' : 'where buffers cannot be held'}`, async () => {
      const [first, second] = ['a.img', 'b.img'].map((name) => join(folder, name));
      const config = configure(replicate, `${first}?copy=${second}`);
      const disk = await replicate.open(config, { size: 2 ** 20, log: new RecordingLog() });
      const { initiator, kernel, device } = await serve(
        disk,
        freeKeptBuffer ? {} : { freeKeptBuffer: undefined },
      );
      const whole = pattern(2 ** 20, 3);
      await Promise.all(
        Array.from({ length: 16 }, (_, index) =>
          initiator.write(index * 128, whole.subarray(index * 65536, (index + 1) * 65536)),
        ),
      );
      await initiator.flush();
      expect(kernel.keptBuffers).to.deep.equal([]);
      for (const path of [first, second]) expect(Buffer.compare(readFileSync(path), whole)).to.equal(0);
      expect(Buffer.compare(await initiator.read(0, 128), whole.subarray(0, 65536))).to.equal(0);
      await device.close();
    });
  }
});
