import { Worker, type WorkerOptions } from 'node:worker_threads';

/** Whether Lunette runs from its sources. */
const fromSources = import.meta.url.endsWith('.ts');

/**
 * Start a thread of this process.
 * @param entry its first file without the extension, which is that of this file
 * @param built its extension where Lunette was built
 */
export function startThread(entry: URL, options: Omit<WorkerOptions, 'eval'>, built = 'js'): Worker {
  const file = new URL(`${entry.href}.${fromSources ? 'ts' : built}`);
  if (!fromSources) return new Worker(file, options);
  // It needs the loader for TypeScript before its first file: what `node --import` registers holds for the main
  // thread alone.
  const bootstrap = `import('tsx/esm/api').then(({ register }) => {
    register();
    return import(${JSON.stringify(file.href)});
  });`;
  return new Worker(bootstrap, { ...options, eval: true });
}
