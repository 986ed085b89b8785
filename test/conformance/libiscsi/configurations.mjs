/**
 * A kind of logical unit that the suite is run against.
 * @typedef {object} Configuration
 * @property {string} name
 * @property {string} about one line for docs/conformance.md
 * @property {'lunette' | 'tgt'} target
 * @property {string} [disk] what `lunette export` exports; memory unless told
 * @property {string[]} [options] options of `lunette export`
 * @property {string} [credentials] `user%password` of the URL
 * @property {number} [portals] how many; one unless told
 * @property {string} [parameters] of tgt's logical unit
 * @property {string[]} [dataloss] globs of the tests that may write; all unless told
 * @property {LeftOut[]} [leftOut]
 */

/**
 * Tests that no unit of this configuration can pass, whatever it answers.
 * @typedef {{ tests: string[], why: string }} LeftOut
 */

const portal = '127.0.0.1:0';

/** @type {LeftOut} */
const tooFast = {
  tests: ['Sanitize.Reset'],
  why: 'the test wants an overwrite of the medium to be still going on after five seconds. No standard asks a unit to be slow (SBC-3 4.11), and memory is overwritten in less than one; the configuration `slow` runs it.',
};

/** @type {Configuration[]} */
export const configurations = [
  {
    name: 'default',
    target: 'lunette',
    about: 'thin provisioned, 512-byte blocks',
    leftOut: [tooFast],
  },
  {
    name: 'removable',
    target: 'lunette',
    about: 'a medium that can be ejected',
    options: ['--removable'],
    leftOut: [tooFast],
  },
  {
    name: 'read-only',
    target: 'lunette',
    about: 'write-protected',
    options: ['--read-only'],
    dataloss: ['ReadOnly', 'Prin*', 'Prout*', 'Reserve6'],
    leftOut: [
      {
        tests: ['ProutReserve.Access*', 'WriteVerify1?.Dpo'],
        why: 'they write, also without `--dataloss` or as a part of what they look at, and no write-protected unit takes that (SBC-3 4.12).',
      },
    ],
  },
  {
    name: '512e',
    target: 'lunette',
    about: '512-byte blocks on 4 KiB physical blocks',
    options: ['--physical-block-size', '4096'],
    leftOut: [
      tooFast,
      {
        tests: ['GetLBAStatus.UnmapSingle'],
        why: 'it asks for the status of block i + 1 and expects the answer to begin at block i + 8, the next physical block. The first descriptor begins at the block that was asked for (SBC-3 5.7.2); with one logical block in a physical block the two are the same.',
      },
    ],
  },
  {
    name: '4Kn',
    target: 'lunette',
    about: '4 KiB blocks',
    options: ['--block-size', '4096'],
    leftOut: [
      tooFast,
      {
        tests: ['ProutReserve.Access*'],
        why: 'they write one block and send 512 bytes for it, whatever the block length. Less than a block cannot be stored (SBC-3 4.5).',
      },
    ],
  },
  {
    name: 'slow',
    target: 'lunette',
    about: 'a medium that takes seconds to be overwritten; WRITE SAME of 0 blocks goes to its end',
    disk: 'paced',
    options: ['--handler', 'test/conformance/libiscsi/paced-handler.mjs', '--write-same-to-end'],
    leftOut: [
      {
        tests: ['WriteSame10.UnmapUntilEnd'],
        why: 'where WSNZ is 0 it sends a block of FFh with UNMAP set and expects to read zeroes. A block that is not what a deallocated one reads as has to be written (SBC-3 4.7.3.4, WRITE SAME and unmap operations); where WSNZ is 1 the test passes.',
      },
    ],
  },
  {
    name: 'multipath',
    target: 'lunette',
    about: 'two portals, both given to the suite',
    portals: 2,
    leftOut: [tooFast],
  },
  {
    name: 'chap',
    target: 'lunette',
    about: 'the initiator authenticates itself with CHAP',
    options: ['--chap', 'conformance:a-secret-of-some-length'],
    credentials: 'conformance%a-secret-of-some-length',
    leftOut: [tooFast],
  },
  { name: 'tgt', target: 'tgt', about: 'tgt as it comes, a file on disk' },
  { name: 'tgt-thin', target: 'tgt', about: 'tgt with thin provisioning', parameters: 'thin_provisioning=1' },
];

/** Bytes, as both targets' options spell them. */
export const unitSize = '100M';

/**
 * @param {Configuration} configuration
 * @returns {string[]} arguments of the `lunette` command
 */
export function exportArguments({ disk = 'memory', options = [], portals = 1 }) {
  const listen = Array.from({ length: portals }, () => ['--iscsi', portal]).flat();
  return ['export', disk, '--size', unitSize, ...listen, ...options];
}

/**
 * Whether a glob of * and ? matches Suite.Test; one without a dot names suites.
 * @param {string} glob
 * @returns {(test: string) => boolean}
 */
export function globMatcher(glob) {
  const whole = glob.includes('.') ? glob : `${glob}.*`;
  const pattern = whole
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  const expression = new RegExp(`^${pattern}$`);
  return (test) => expression.test(test);
}

/** @returns {(test: string) => boolean} whether one of the globs matches */
export function anyMatcher(globs) {
  const matchers = globs.map(globMatcher);
  return (test) => matchers.some((matches) => matches(test));
}
