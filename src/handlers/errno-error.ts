/** An error as a system call would have given it. The logical unit maps `code` to sense data. */
export function errnoError(code: 'EIO' | 'ENOSPC' | 'EINVAL', message: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${message}`), { code });
}
