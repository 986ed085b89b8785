import { expect } from 'chai';
import { truncateSync, writeFileSync } from 'node:fs';
import { additionalSense, senseKey } from '../../../src/scsi/sense.js';
import { expectBytes, pattern, senseOf, serve, type Served } from '../../conformance/support.js';
import { FileFixture } from './file-fixture.js';

const MIB = 2 ** 20;

describe('file handler: what an initiator sees', () => {
  const fixture = new FileFixture();
  let served: Served | undefined;

  async function serveFile(options = ''): Promise<Served> {
    writeFileSync(fixture.path(), pattern(MIB, 1));
    return (served = serve(await fixture.open(fixture.path() + options)));
  }

  afterEach(async () => {
    await served?.device.close();
    served = undefined;
  });

  for (const io of ['auto', 'async', 'sync']) {
    it(`a medium error where the file was truncated underneath, io=${io}`, async () => {
      const { initiator } = await serveFile(`?io=${io}`);
      truncateSync(fixture.path(), MIB / 2);
      expect(await senseOf(() => initiator.read(1024, 8))).to.deep.equal({
        key: senseKey.mediumError,
        code: additionalSense.unrecoveredReadError,
      });
      expectBytes(await initiator.read(0, 8), pattern(MIB, 1).subarray(0, 4096), 'the rest');
    });
  }

  it('data protection where it is read-only', async () => {
    const { initiator } = await serveFile('?readonly=1');
    const refused = { key: senseKey.dataProtect, code: additionalSense.writeProtected };
    expect(await senseOf(() => initiator.write(0, pattern(512, 2)))).to.deep.equal(refused);
    expect(await senseOf(() => initiator.writeSame(0, 8))).to.deep.equal(refused);
    expect(await senseOf(() => initiator.unmap([{ lba: 0, blocks: 8 }]))).to.deep.equal(refused);
    expectBytes(await initiator.read(0, 8), pattern(MIB, 1).subarray(0, 4096), 'unchanged');
  });

  it('a larger disk after the administrator made the file larger', async () => {
    const { initiator, device } = await serveFile();
    truncateSync(fixture.path(), 2 * MIB);
    await device.resize(2 * MIB);
    expect((await initiator.readCapacity()).blocks).to.equal(4096);
    await initiator.write(4095, pattern(512, 3));
    await initiator.flush();
  });
});
