import { expect } from 'chai';
import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { TARGET_NAME } from './support/raw-initiator.js';
import { startTarget, type Fixture } from './support/target.js';

const run = promisify(execFile);
const installed = spawnSync('iscsi-inq', ['--help']).error === undefined;
const auth = {
  user: 'someone',
  password: 'a secret of 16!',
  mutualUser: 'target',
  mutualPassword: 'another secret!',
};

/** libiscsi's command line tools (Debian: libiscsi-bin), an initiator that is not ours. */
(installed ? describe : describe.skip)("libiscsi's tools", () => {
  let fixture: Fixture;

  afterEach(() => fixture.close());

  function url(user = '', query = ''): string {
    const [{ port }] = fixture.target.addresses;
    return `iscsi://${user}127.0.0.1:${port}/${TARGET_NAME}/0${query}`;
  }

  async function output(tool: string, ...parameters: string[]): Promise<string> {
    const { stdout } = await run(tool, parameters, { timeout: 10_000 });
    return stdout;
  }

  async function fails(tool: string, ...parameters: string[]): Promise<string> {
    try {
      await output(tool, ...parameters);
    } catch (error) {
      return String((error as { stderr?: string }).stderr);
    }
    throw new Error(`${tool} was successful`);
  }

  it('find, ask and measure the disk', async () => {
    fixture = await startTarget();
    const [{ port }] = fixture.target.addresses;
    expect(await output('iscsi-ls', '-s', `iscsi://127.0.0.1:${port}`))
      .to.contain(TARGET_NAME)
      .and.to.contain('DIRECT_ACCESS');
    expect(await output('iscsi-inq', url())).to.contain('Vendor:LUNETTE');
    expect(await output('iscsi-readcapacity16', url())).to.contain('Total size:1048576');
  });

  it('authenticate themselves, and the target to them', async () => {
    fixture = await startTarget({ auth });
    expect(await output('iscsi-inq', url('someone%a secret of 16!@'))).to.contain('LUNETTE');
    const query = '?target_user=target&target_password=another secret!';
    expect(await output('iscsi-inq', url('someone%a secret of 16!@', query))).to.contain('LUNETTE');
    const wrong = '?target_user=target&target_password=the wrong secret';
    expect(await fails('iscsi-inq', url('someone%a secret of 16!@', wrong))).to.match(/CHAP_R/);
  });

  it('are refused with the wrong password, or with none', async () => {
    fixture = await startTarget({ auth });
    expect(await fails('iscsi-inq', url('someone%the wrong one!@'))).to.contain('Authentication');
    expect(await fails('iscsi-inq', url())).to.contain('Authentication');
    const [{ port }] = fixture.target.addresses;
    await fails('iscsi-ls', `iscsi://127.0.0.1:${port}`);
  });

  it('use header digests', async () => {
    fixture = await startTarget();
    expect(await output('iscsi-inq', url('', '?header_digest=crc32c'))).to.contain('LUNETTE');
  });
});
