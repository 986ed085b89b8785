import { expect } from 'chai';
import { rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { LoopbackLun } from './support/lun.js';
import { useLunette } from './support/lunette.js';
import { bash } from './support/run.js';
import { until } from './support/wait.js';

const stubbornHandler = fileURLToPath(new URL('./handlers/stubborn.js', import.meta.url));
const bad = '/tmp/bad';

for (const isolation of ['none', 'thread', 'process']) {
  describe(`a handler that keeps its event loop from turning (--isolate ${isolation})`, () => {
    const lunette = useLunette({
      args: ['--isolate', isolation, '--handler', stubbornHandler],
      expectedErrors: /the event loop (has not turned|turns again)/,
    });

    it('is named with its device, its command and its function, and goes on', async () => {
      rmSync(bad, { force: true });
      const lun = await LoopbackLun.create({ backstore: 'user:stubborn', size: '64M', cfgstring: bad });
      writeFileSync(bad, '');
      await bash(`dd if=${lun.path} of=/dev/null bs=4k skip=768 count=1 iflag=direct`);
      rmSync(bad);
      const reports = await until('the report', () => {
        const lines = lunette.daemon.everything().split('\n');
        const found = lines.filter((line) => line.includes('the event loop has not turned'));
        return found.length > 0 && found;
      });
      const device = `${lun.configfs.split('/').slice(-2).join('/')}`;
      const report = reports.find((line) => /in READ\(\d+\) of /.test(line) && line.includes(device));
      expect(report, reports.join('\n')).not.to.equal(undefined);
      // Of a thread no stack can be had.
      if (isolation !== 'thread') expect(report).to.include('spinForSeconds').and.include('stubborn.js');
      await bash(`dd if=${lun.path} of=/dev/null bs=4k skip=768 count=1 iflag=direct`);
      await lun.remove();
    });

    lunette.endsQuietly();
  });
}
