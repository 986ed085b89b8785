import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkout } from '../support/bench.mjs';

/*
 * tcmu-runner's example of a handler for files, which Debian does not install: built from its source package.
 */

const folder = join(checkout, 'out/tcmu-runner');

/** Its name says `file`, as one of lunette's handlers does, and both would be asked for the same disks. */
const SUBTYPE = 'example';

function run(command, args, cwd) {
  const { status, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command}: ${error?.message ?? stderr.trim().split('\n').at(-1)}`);
}

function fetchSource() {
  const list = join(folder, 'sources.list');
  mkdirSync(join(folder, 'lists/partial'), { recursive: true });
  writeFileSync(list, 'deb-src http://deb.debian.org/debian bookworm main\n');
  // Lists of its own: the system's are left as they are.
  const options = [
    'Dir::Etc::sourceparts=/dev/null',
    `Dir::Etc::sourcelist=${list}`,
    `Dir::State::lists=${join(folder, 'lists')}`,
    'Dir::Cache::srcpkgcache=',
    'Dir::Cache::pkgcache=',
    'APT::Sandbox::User=root',
  ].flatMap((option) => ['-o', option]);
  run('apt-get', [...options, 'update'], folder);
  run('apt-get', [...options, 'source', 'tcmu-runner'], folder);
}

/** @returns {{ folder: string, subtype: string }} what tcmu-runner is started with @throws Error where it cannot be built */
export function buildFileExample() {
  const handler = join(folder, 'handlers', `handler_${SUBTYPE}.so`);
  if (!existsSync(handler)) {
    rmSync(folder, { recursive: true, force: true });
    fetchSource();
    const name = readdirSync(folder).find((entry) => existsSync(join(folder, entry, 'file_example.c')));
    if (name === undefined) throw new Error('the source package has no file_example.c');
    const source = join(folder, name);
    const text = readFileSync(join(source, 'file_example.c'), 'utf8');
    writeFileSync(join(source, 'renamed.c'), text.replace('.subtype = "file"', `.subtype = "${SUBTYPE}"`));
    mkdirSync(join(folder, 'handlers'));
    run('gcc', ['-w', '-O2', '-fPIC', '-shared', '-I.', '-Iccan', '-o', handler, 'renamed.c'], source);
  }
  return { folder: join(folder, 'handlers'), subtype: SUBTYPE };
}
