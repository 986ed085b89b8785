import { closeSync, constants, openSync, writeSync } from 'node:fs';

/**
 * Write to a file of configfs or sysfs. Only to write: some of them nobody may read, root included; and they cannot be
 * created or truncated.
 * @throws errno error
 */
export function writeKernelFile(path: string, value: string): void {
  const fd = openSync(path, constants.O_WRONLY);
  try {
    writeSync(fd, value);
  } finally {
    closeSync(fd);
  }
}
