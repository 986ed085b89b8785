import { expect } from 'chai';
import { useLunette } from './support/lunette.js';
import { attempt, targetcli } from './support/targetcli.js';
import { run } from './support/run.js';

describe('handlers in targetcli, over the system bus', () => {
  const lunette = useLunette();

  it('lists each handler as a backstore', async () => {
    const listing = await targetcli('ls /backstores 1');
    for (const name of ['memory', 'file', 'null']) expect(listing).to.match(new RegExp(`user:${name}\\b`));
  });

  it('shows a handler’s options and their meaning where the user asks for help', async () => {
    const help = await targetcli('/backstores/user:file help create');
    const text = help.slice(help.indexOf('CFGSTRING FORMAT'));
    for (const option of ['path', 'create', 'direct', 'readonly']) expect(text).to.include(option);
    const memory = await targetcli('/backstores/user:memory help create');
    expect(memory.slice(memory.indexOf('CFGSTRING FORMAT'))).to.include('limit');
  });

  const refused: [string, string, RegExp][] = [
    ['a missing file', 'user:file create name=bad size=1M cfgstring=/tmp/nowhere.img', /\/tmp\/nowhere\.img/],
    [
      'an unknown option, with the nearest right one',
      'user:file create name=bad size=1M cfgstring=/tmp/a?creat=1',
      /creat\b.*create/s,
    ],
    ['a wrong unit', 'user:memory create name=bad size=1M cfgstring=?limit=12Q', /12Q.*not a size/],
  ];
  for (const [what, command, message] of refused) {
    it(`refuses ${what}, in the handler’s own words`, async () => {
      const { failed, output } = await attempt(`/backstores/${command}`);
      expect(failed).to.equal(true);
      expect(output).to.match(/cfgstring invalid: /);
      expect(output).to.match(message);
    });
  }

  it('left nothing of the refused ones behind', async () => {
    expect(await targetcli('ls /backstores')).not.to.match(/\bbad\b/);
    expect((await run('bash', ['-c', 'ls /sys/class/uio'])).stdout).to.equal('');
  });

  lunette.endsQuietly();
});
