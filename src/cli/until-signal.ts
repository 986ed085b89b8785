/** Resolves when a signal asks to leave; the second signal does not wait for anything. */
export function untilSignal(onFirst: (signal: string) => void): Promise<void> {
  return new Promise((resolve) => {
    let leaving = false;
    const onSignal = (signal: NodeJS.Signals): void => {
      if (leaving) process.exit(1);
      leaving = true;
      onFirst(signal);
      resolve();
    };
    process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  });
}
