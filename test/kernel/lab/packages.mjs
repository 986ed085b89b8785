import { spawnSync } from 'node:child_process';
import process from 'node:process';

/** Debian's packages for the guest: its kernel, and the programs that the tests work LUNs with. */
const packages = [
  'user-mode-linux',
  'targetcli-fb',
  'python3-rtslib-fb',
  'dbus',
  'fio',
  'sg3-utils',
  'libiscsi-bin',
  'open-iscsi',
  'tcmu-runner',
  'lsscsi',
  'e2fsprogs',
  'xfsprogs',
  'kmod',
  'systemd',
  'iproute2',
  'psmisc',
  'util-linux',
];

function isInstalled(name) {
  const { stdout } = spawnSync('dpkg-query', ['-W', '-f', '${db:Status-Status}', name], { encoding: 'utf8' });
  return stdout === 'installed';
}

function apt(...args) {
  const { status, error } = spawnSync('apt-get', args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (error || status !== 0) throw new Error(`apt-get ${args.join(' ')} failed`);
}

/**
 * Install what is missing.
 * @param {string[]} more packages beside the usual ones
 * @throws Error where that cannot be done, and why
 */
export function installPackages(more = []) {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error('the kernel lab runs on Linux on x86-64 only');
  }
  if (process.getuid() !== 0) throw new Error('the kernel lab needs root: run it with sudo');
  if (spawnSync('dpkg-query', ['--version']).error) {
    throw new Error('the kernel lab needs Debian: there is no dpkg-query here');
  }
  const missing = [...packages, ...more].filter((name) => !isInstalled(name));
  if (missing.length === 0) return;
  process.stdout.write(`installing ${missing.join(' ')}\n`);
  apt('update', '-qq');
  apt('install', '-y', '-qq', '--no-install-recommends', ...missing);
}
