/*
 * What `npm run bench:ring` measures.
 */

const KIB = 1024;

/**
 * @typedef {object} Pass
 * @property {string} name
 * @property {'null' | 'memory' | 'file'} storage
 * @property {boolean} asynchronous lunette's verbs return promises
 * @property {number} bytes of a command
 * @property {number} depth
 * @property {number} reads of 100 commands
 * @property {number} diskBytes
 * @property {number} [goal] ratio to reach
 */

const sizeName = (bytes) => (bytes < KIB * KIB ? `${bytes / KIB} KiB` : `${bytes / KIB / KIB} MiB`);
const mixName = { 100: 'read', 0: 'write', 50: 'mixed' };

/** More than any cache holds: every place is fetched from memory. */
const DISK_BYTES = 128 * KIB * KIB;

/** @returns {Pass} */
function pass(storage, bytes, depth, reads, { asynchronous = false, diskBytes = DISK_BYTES, goal } = {}) {
  const disk = diskBytes === DISK_BYTES ? storage : `${storage} of ${sizeName(diskBytes)}`;
  const kind = asynchronous ? `${disk}, asynchronous` : disk;
  const name = `${kind}, ${sizeName(bytes)} ${mixName[reads]}, QD${depth}`;
  return { name, storage, asynchronous, bytes, depth, reads, diskBytes, goal };
}

/** One that the cache holds shows what a command costs beside the fetching, which costs every consumer the same. */
const cached = { diskBytes: 16 * KIB * KIB };

/** Those that have a goal, and what goes with them. */
export const passes = [
  pass('null', 4 * KIB, 1, 100),
  pass('null', 4 * KIB, 32, 100, { goal: 0.9 }),
  pass('null', 4 * KIB, 128, 100, { goal: 0.9 }),
  pass('memory', 4 * KIB, 1, 50),
  pass('memory', 4 * KIB, 32, 100, { goal: 0.9 }),
  pass('memory', 4 * KIB, 32, 50, { goal: 0.9 }),
  pass('memory', 4 * KIB, 32, 100, { ...cached, goal: 0.9 }),
  pass('memory', 4 * KIB, 32, 50, { ...cached, goal: 0.9 }),
  pass('memory', 64 * KIB, 8, 100, { goal: 0.98 }),
  pass('memory', 64 * KIB, 8, 50, { goal: 0.98 }),
  pass('memory', 1024 * KIB, 4, 100, { goal: 0.98 }),
  pass('memory', 1024 * KIB, 4, 50, { goal: 0.98 }),
  pass('null', 4 * KIB, 32, 100, { asynchronous: true, goal: 0.6 }),
  pass('memory', 4 * KIB, 32, 50, { asynchronous: true, goal: 0.6 }),
  pass('memory', 4 * KIB, 32, 50, { ...cached, asynchronous: true, goal: 0.6 }),
  pass('file', 4 * KIB, 1, 100),
  pass('file', 4 * KIB, 32, 100),
  pass('file', 4 * KIB, 32, 50),
  pass('file', 64 * KIB, 8, 50),
];

/** Every storage, size, depth and mix. */
export const everyPass = ['null', 'memory', 'file'].flatMap((storage) =>
  [false, true].flatMap((asynchronous) =>
    // The file handler is what it is: no other one is put around it.
    storage === 'file' && asynchronous
      ? []
      : [4, 64, 1024].flatMap((kib) =>
          [1, 8, 32, 128].flatMap((depth) =>
            [100, 0, 50].map((reads) => pass(storage, kib * KIB, depth, reads, { asynchronous })),
          ),
        ),
  ),
);
