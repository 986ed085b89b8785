/*
 * What `npm run bench:lab` measures, and what is compared.
 */

const pass = (mode, block, depth, goals = {}) => ({
  name: `${block}iB ${{ randread: 'random read', randwrite: 'random write', randrw: 'random, mixed' }[mode] ?? `sequential ${mode}`}, QD${depth}`,
  mode,
  block: block.replaceAll(' ', '').toLowerCase(),
  depth,
  goals,
});

/** Goals are ratios: of lunette's file handler to tcmu-runner's, and of its memory handler to the kernel's ramdisk. */
export const passes = [
  ...['randread', 'randwrite', 'randrw'].flatMap((mode) => [
    pass(mode, '4 K', 1, { file: 1.2 }),
    pass(mode, '4 K', 8),
    pass(mode, '4 K', 32, { file: 2, memory: 0.5 }),
  ]),
  pass('read', '128 K', 8, { file: 1.5 }),
  pass('write', '128 K', 8, { file: 1.5 }),
  pass('read', '1 M', 4),
  pass('write', '1 M', 4),
];

/** Of each kind one. */
export const quickPasses = passes.filter(
  ({ mode, depth, block }) => mode !== 'randrw' && (block === '4k' ? depth !== 8 : block === '128k'),
);

/** Columns of ratios. */
export const comparisons = [
  { name: 'file / tcmu-runner', goal: 'file', ours: 'lunette file', theirs: 'tcmu-runner' },
  { name: 'file / LIO fileio', ours: 'lunette file', theirs: 'LIO fileio' },
  { name: 'memory / LIO ramdisk', goal: 'memory', ours: 'lunette memory', theirs: 'LIO ramdisk' },
];
