import { spawnSync } from 'node:child_process';
import process from 'node:process';

/** Debian's packages: the suite, and the target that is measured beside ours. */
const packages = { 'libiscsi-bin': '/usr/bin/iscsi-test-cu', tgt: '/usr/sbin/tgtd' };

/**
 * @param {string} name a package
 * @returns {string | undefined} its version; undefined where it is not installed
 */
export function packageVersion(name) {
  const { stdout } = spawnSync('dpkg-query', ['-W', '-f', '${db:Status-Status} ${Version}', name], {
    encoding: 'utf8',
  });
  return /^installed (.+)$/.exec(stdout ?? '')?.[1];
}

function apt(...args) {
  const { status, error } = spawnSync('apt-get', args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
  });
  if (error || status !== 0) throw new Error(`apt-get ${args.join(' ')} failed`);
}

/**
 * Install what is missing. Whether Debian starts tgt's own service does not matter: the one that is measured has
 * a control socket and a port of its own.
 * @throws Error where that cannot be done, and why
 */
export function installPackages() {
  if (spawnSync('dpkg-query', ['--version']).error) {
    throw new Error('the suite is taken from Debian’s libiscsi-bin: there is no dpkg-query here');
  }
  const missing = Object.keys(packages).filter((name) => packageVersion(name) === undefined);
  if (missing.length === 0) return;
  if (process.getuid() !== 0) {
    throw new Error(`${missing.join(' and ')} must be installed first: apt-get install ${missing.join(' ')}`);
  }
  process.stdout.write(`installing ${missing.join(' ')}\n`);
  apt('update', '-qq');
  apt('install', '-y', '-qq', '--no-install-recommends', ...missing);
}
