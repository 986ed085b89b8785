import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

function run(program, args) {
  const { status, error, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', timeout: 60_000 });
  return { ok: !error && status === 0, text: `${error?.message ?? ''}${stdout ?? ''}${stderr ?? ''}`.trim() };
}

/** Read a whole disk over iSCSI into a file. @returns {string | undefined} what went wrong */
export function readDisk(url, path) {
  const { ok, text } = run('qemu-img', ['convert', '-f', 'raw', '-O', 'raw', url, path]);
  return ok ? undefined : text;
}

/** Check the ext4 file system of an image, changing nothing. @returns {string | undefined} what is wrong with it */
export function checkFileSystem(path) {
  const { ok, text } = run('e2fsck', ['-f', '-n', path]);
  return ok ? undefined : text;
}

/** @returns {string} the SHA-256 of a file in the ext4 file system of an image; of nothing where it is not there */
export function fileChecksum(path, name, scratch) {
  const { text } = run('debugfs', ['-R', `dump /${name} ${scratch}`, path]);
  try {
    return createHash('sha256').update(readFileSync(scratch)).digest('hex');
  } catch {
    return text;
  }
}
