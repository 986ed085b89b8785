import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

/** Debian's packages: QEMU with its iSCSI initiator, what the guest is made of, and what its disks are read with. */
const packages = ['qemu-system-x86', 'qemu-block-extra', 'qemu-utils', 'busybox-static', 'e2fsprogs', 'kmod'];

function run(program, args, options = {}) {
  const { status, error, stdout } = spawnSync(program, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
    maxBuffer: 2 ** 26,
    ...options,
  });
  if (error || status !== 0) throw new Error(`${program} ${args.join(' ')} failed`);
  return stdout;
}

function isInstalled(name) {
  const { stdout } = spawnSync('dpkg-query', ['-W', '-f', '${db:Status-Status}', name], { encoding: 'utf8' });
  return stdout === 'installed';
}

/**
 * Install what is missing.
 * @throws Error where that cannot be done, and why
 */
export function installPackages() {
  if (process.arch !== 'x64' || spawnSync('dpkg-query', ['--version']).error) {
    throw new Error('the guest is made of Debian’s packages for x86-64: there is no dpkg-query here');
  }
  const missing = packages.filter((name) => !isInstalled(name));
  if (missing.length === 0) return;
  if (process.getuid() !== 0) {
    throw new Error(`must be installed first: apt-get install --no-install-recommends ${missing.join(' ')}`);
  }
  process.stdout.write(`installing ${missing.join(' ')}\n`);
  run('apt-get', ['update', '-qq']);
  run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing]);
}

/** The package that linux-image-amd64 stands for. */
function kernelPackage() {
  const named = () =>
    /Depends: (linux-image-\S+)/.exec(
      spawnSync('apt-cache', ['depends', 'linux-image-amd64'], { encoding: 'utf8' }).stdout ?? '',
    )?.[1];
  const name = named();
  if (name !== undefined) return name;
  run('apt-get', ['update', '-qq']);
  const found = named();
  if (found === undefined) throw new Error('apt knows no linux-image-amd64');
  return found;
}

/**
 * Debian's kernel, unpacked and never installed.
 * @param {string} cache a folder where it stays for the next time
 * @returns {{ image: string, modules: string, release: string }} paths of the kernel and its modules
 */
export function unpackKernel(cache) {
  const name = kernelPackage();
  const release = name.replace('linux-image-', '');
  const folder = join(cache, release);
  if (!existsSync(folder)) {
    process.stdout.write(`downloading ${name}\n`);
    const fresh = join(cache, 'unpacking');
    rmSync(fresh, { recursive: true, force: true });
    mkdirSync(join(fresh, 'root'), { recursive: true });
    // It complains on standard error that another user cannot write into the folder; it writes all the same.
    run('apt-get', ['download', '-q', name], { cwd: fresh, stdio: ['ignore', 'pipe', 'ignore'] });
    const archive = readdirSync(fresh).find((file) => file.endsWith('.deb'));
    if (archive === undefined) throw new Error(`apt-get download ${name} has left nothing`);
    run('dpkg-deb', ['-x', join(fresh, archive), join(fresh, 'root')]);
    run('depmod', ['-b', join(fresh, 'root'), release]);
    renameSync(join(fresh, 'root'), folder);
    rmSync(fresh, { recursive: true, force: true });
  }
  return {
    image: join(folder, 'boot', `vmlinuz-${release}`),
    modules: join(folder, 'lib/modules', release),
    release,
  };
}
