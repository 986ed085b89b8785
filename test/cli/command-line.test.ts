import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Run the command line from its source, as a process of its own. */
function lunette(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', 'tsx', join(root, 'src/cli/main.ts'), ...args],
    {
      cwd: root,
      encoding: 'utf8',
      timeout: 20_000,
      env: { ...process.env, NODE_OPTIONS: '', NODE_V8_COVERAGE: '' },
    },
  );
  return { status, stdout, stderr };
}

describe('the command line', () => {
  it('tells its version', () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    // Among other arguments it is for what reads all of them to tell.
    for (const args of [['--version'], ['-V'], ['--version', 'serve']]) {
      expect(lunette(...args), args.join(' ')).to.deep.include({ status: 0, stdout: `${version}\n` });
    }
  });

  it('shows examples in the help of each command', () => {
    for (const command of [[], ['serve'], ['demo'], ['handlers'], ['completion']]) {
      const { status, stdout } = lunette(...command, '--help');
      expect(status, command.join()).to.equal(0);
      expect(stdout).to.match(/Examples:\n\s+\$ /);
    }
  });

  it('ends with 2 and names the nearest option where one is wrong', () => {
    const { status, stderr } = lunette('serve', '--log-levle', 'debug');
    expect(status).to.equal(2);
    expect(stderr).to.include('--log-level');
  });

  it('ends with 1 and one line that names the option where a value is wrong', () => {
    const { status, stderr } = lunette('demo', '--size', '512X');
    expect(status).to.equal(1);
    expect(stderr.trim().split('\n')).to.have.length(1);
    expect(stderr).to.include('--size').and.include('512M');
  });

  it('lists the handlers and the options of one, with types and defaults', () => {
    const list = lunette('handlers').stdout;
    for (const name of ['memory', 'file', 'null']) expect(list).to.match(new RegExp(`^${name} `, 'm'));
    const { stdout } = lunette('handlers', 'file');
    expect(stdout).to.match(/^path \(before \?\) +text +required /m);
    expect(stdout).to.match(/^create +flag +off /m);
    expect(stdout).to.match(/^io +auto\|async\|sync +auto /m);
  });

  it('lists options as JSON', () => {
    const options = JSON.parse(lunette('handlers', 'memory', '--json').stdout) as unknown;
    expect(JSON.stringify(options)).to.include('"name":"size"');
  });

  it('says which handlers there are where one is unknown', () => {
    const { status, stderr } = lunette('handlers', 'flie');
    expect(status).to.equal(1);
    expect(stderr).to.include("did you mean 'file'");
  });

  it('says why a handler of one’s own cannot be loaded', () => {
    const folder = mkdtempSync(join(tmpdir(), 'lunette-cli-'));
    try {
      const path = join(folder, 'broken.ts');
      writeFileSync(path, 'throw new Error("not today");\n');
      const { status, stderr } = lunette('handlers', '--handler', path);
      expect(status).to.equal(1);
      expect(stderr).to.include(path).and.include('not today');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('prints a completion that a shell understands', () => {
    const script = `${lunette('completion').stdout}
COMP_WORDS=(lunette serve --log-format ''); COMP_CWORD=3; _lunette; echo "\${COMPREPLY[*]}"
COMP_WORDS=(lunette dem); COMP_CWORD=1; _lunette; echo "\${COMPREPLY[*]}"`;
    const { stdout } = spawnSync('bash', ['-c', script], { encoding: 'utf8' });
    expect(stdout).to.equal('auto text json\ndemo\n');
  });
});

describe('lunette demo', () => {
  it('shows the disk, writes and verifies, and measures', () => {
    const { status, stdout } = lunette('demo', '--amount', '4M', '--seconds', '0.1');
    expect(status).to.equal(0);
    expect(stdout).to.match(/^vendor +LUNETTE/m);
    expect(stdout).to.match(/^capacity +1 GiB \(2097152 blocks\)/m);
    expect(stdout).to.match(/\d+ IOPS/);
    expect(stdout).to.match(/^4 MiB written and verified: no difference\./m);
  });

  it('costs a disk of 1 TiB no more than what is written to it', () => {
    const { status, stdout } = lunette('demo', '--size', '1T', '--amount', '1M', '--seconds', '0.1');
    expect(status).to.equal(0);
    expect(stdout).to.include('1 TiB');
  });

  it('refuses an amount that does not fit, naming the option', () => {
    const { status, stderr } = lunette('demo', '--size', '1M', '--amount', '2M');
    expect(status).to.equal(1);
    expect(stderr).to.include('--amount');
  });
});

// Where the module is loaded this is the wrong machine to ask what happens without it.
const tcmuLoaded =
  existsSync('/proc/modules') && /^target_core_user /m.test(readFileSync('/proc/modules', 'utf8'));

(tcmuLoaded ? describe.skip : describe)('lunette serve without TCMU', () => {
  it('says what is missing and the command that mends it', () => {
    const { status, stderr } = lunette('serve', '--no-bus');
    expect(status).to.equal(1);
    expect(stderr).to.match(/run '(sudo |modprobe )/);
    expect(stderr).not.to.include('    at ');
  });
});
