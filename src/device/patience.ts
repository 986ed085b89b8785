/** Wait, but not for ever. @returns whether `done` ended in time; rejects where it does */
export async function endsWithin(milliseconds: number, done: unknown): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds);
  });
  try {
    return await Promise.race([Promise.resolve(done).then(() => true), expired]);
  } finally {
    clearTimeout(timer);
  }
}
