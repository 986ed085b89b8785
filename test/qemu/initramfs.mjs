import { Buffer } from 'node:buffer';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/*
 * The guest's root: busybox, mkfs.ext4 with its libraries, the kernel modules of a SCSI disk and of ext4, and
 * init.sh. All of it fits into memory, so the only disks of the guest are those that are tested.
 */

const wantedModules = ['virtio_pci', 'virtio_scsi', 'sd_mod', 'crc32c_generic', 'ext4'];
const programs = ['/usr/sbin/mkfs.ext4'];

/** Numbers of the cpio archive format that Linux unpacks (Documentation/driver-api/early-userspace). */
const type = { folder: 0o040000, file: 0o100000, link: 0o120000 };

class Archive {
  #parts = [];
  #folders = new Set(['.', '/']);
  #entries = 0;

  #add(path, mode, content) {
    const name = Buffer.from(`${path}\0`);
    const fields = [++this.#entries, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length, 0];
    const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
    this.#pad(Buffer.concat([Buffer.from(header), name]));
    this.#pad(content);
  }

  #pad(bytes) {
    this.#parts.push(bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4));
  }

  folder(path) {
    if (this.#folders.has(path)) return;
    this.folder(dirname(path));
    this.#folders.add(path);
    this.#add(path, type.folder | 0o755, Buffer.alloc(0));
  }

  file(path, content) {
    this.folder(dirname(path));
    this.#add(path, type.file | 0o755, content);
  }

  link(path, target) {
    this.folder(dirname(path));
    this.#add(path, type.link | 0o777, Buffer.from(target));
  }

  end() {
    this.#add('TRAILER!!!', 0, Buffer.alloc(0));
    return Buffer.concat(this.#parts);
  }
}

/** The files a program is linked with, its loader among them. */
function libraries(program) {
  const { status, stdout } = spawnSync('ldd', [program], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ldd ${program} failed`);
  return [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path);
}

/** Module files in the order in which they can be loaded. What is built into the kernel has none. */
function moduleFiles(folder) {
  const needs = new Map(
    readFileSync(join(folder, 'modules.dep'), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split(':'))
      .map(([file, others]) => [file, others.trim().split(/\s+/).filter(Boolean)]),
  );
  const byName = new Map([...needs.keys()].map((file) => [basename(file, '.ko'), file]));
  const ordered = new Set();
  const visit = (file) => {
    for (const other of needs.get(file) ?? []) visit(other);
    ordered.add(file);
  };
  for (const name of wantedModules) if (byName.has(name)) visit(byName.get(name));
  return [...ordered];
}

/**
 * @param {string} modules the folder of the kernel's modules
 * @param {string} init the guest's first program, a script
 * @returns {Buffer} an initramfs
 */
export function initramfs(modules, init) {
  const archive = new Archive();
  for (const folder of ['dev', 'proc', 'sys', 'tmp', 'mnt', 'etc']) archive.folder(folder);
  archive.file('init', readFileSync(init));
  archive.file('bin/busybox', readFileSync('/usr/bin/busybox'));
  archive.link('bin/sh', 'busybox');
  const files = new Set(programs.flatMap((program) => [program, ...libraries(program)]));
  for (const path of files) archive.file(path.slice(1), readFileSync(path));
  const loaded = moduleFiles(modules);
  for (const file of loaded) archive.file(`modules/${basename(file)}`, readFileSync(join(modules, file)));
  archive.file('modules/order', Buffer.from(`${loaded.map((file) => basename(file)).join('\n')}\n`));
  return archive.end();
}
