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
      const device = lun.configfs.split('/').slice(-2).join('/');
      const isNamed = (line: string): boolean =>
        /has not turned for \d+ ms: in READ\(\d+\) of /.test(line) &&
        line.includes(device) &&
        line.includes('spinForSeconds') &&
        line.includes('stubborn.js');
      // The stack is had where the debugger is quick enough, which on a busy machine it may not be.
      await until(
        'a report that names it',
        async () => {
          await bash(`dd if=${lun.path} of=/dev/null bs=4k skip=768 count=1 iflag=direct`);
          return lunette.daemon.everything().split('\n').some(isNamed);
        },
        60_000,
      );
      rmSync(bad);
      await bash(`dd if=${lun.path} of=/dev/null bs=4k skip=768 count=1 iflag=direct`);
      await lun.remove();
    });

    lunette.endsQuietly();
  });
}
