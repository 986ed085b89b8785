import type { ScsiCommand } from '../command.js';
import type { Unit } from '../unit.js';

/**
 * The answer of a command without IMMED: that of its operation. Where the command is aborted it ends at once, and
 * the operation goes on (SBC-3 4.11.1).
 */
export function answerOf(finished: Promise<void>, { context }: ScsiCommand, unit: Unit): Promise<void> {
  const { signal } = context;
  return new Promise((resolve, reject) => {
    const aborted = (): void => reject(new DOMException('the command was aborted', 'AbortError'));
    const done = (): void => signal.removeEventListener('abort', aborted);
    if (signal.aborted) return aborted();
    signal.addEventListener('abort', aborted, { once: true });
    finished.then(resolve, () => reject(unit.background.condition() ?? new Error('aborted'))).finally(done);
  });
}
