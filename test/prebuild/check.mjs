// Makes the prebuilt addon in a copy of the sources, and loads it there as an installed package would: through
// node-gyp-build, with no build/ beside it. Run as `node test/prebuild/check.mjs`.
import { spawnSync } from 'node:child_process';
import console from 'node:console';
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..', '..');

/** Warnings fail here, not on the machines of those who install the package with another compiler. */
const env = { ...process.env, CXXFLAGS: `${process.env.CXXFLAGS ?? ''} -Werror` };
// The headers of the system's Node, where it has some: node-gyp would download them.
if (env.npm_config_nodedir === undefined && existsSync('/usr/include/node/node_api.h')) {
  env.npm_config_nodedir = '/usr';
}

class Failure extends Error {}

function run(what, command, args, cwd) {
  const result = spawnSync(command, args, { cwd, env, encoding: 'utf8', timeout: 300_000 });
  if (result.error) throw new Failure(`${what}: ${result.error.message}`);
  if (result.status !== 0) {
    const how = result.signal ? `killed by ${result.signal}` : `exit ${result.status}`;
    throw new Failure(`${what}: ${how}\n${result.stdout}${result.stderr}`);
  }
}

function check(copy) {
  for (const name of ['package.json', 'binding.gyp', 'native']) {
    cpSync(join(root, name), join(copy, name), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  cpSync(join(here, 'round-trip.mjs'), join(copy, 'round-trip.mjs'));

  const prebuildify = join(copy, 'node_modules', 'prebuildify', 'bin.js');
  run('prebuildify', process.execPath, [prebuildify, '--napi', '--strip', '--tag-libc'], copy);
  rmSync(join(copy, 'build'), { recursive: true, force: true });

  const folder = join('prebuilds', `${process.platform}-${process.arch}`);
  const addons = existsSync(join(copy, folder)) ? readdirSync(join(copy, folder)) : [];
  if (addons.length !== 1)
    throw new Failure(`${folder} should hold one addon: ${addons.join(', ') || 'none'}`);
  console.log(`made ${join(folder, addons[0])}`);

  run('round trip', process.execPath, ['round-trip.mjs'], copy);
}

const copy = mkdtempSync(join(tmpdir(), 'lunette-prebuild-'));
try {
  check(copy);
  console.log('1 passed, 0 failed, 0 skipped');
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  console.error(error.message);
  console.log('0 passed, 1 failed, 0 skipped');
  process.exitCode = 1;
} finally {
  rmSync(copy, { recursive: true, force: true });
}
