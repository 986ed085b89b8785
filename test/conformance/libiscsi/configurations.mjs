/**
 * A kind of logical unit that the suite is run against.
 * @typedef {object} Configuration
 * @property {string} name
 * @property {string} about one line for docs/conformance.md
 * @property {'lunette' | 'tgt'} target
 * @property {string} [definition] what `lunette export` exports; a disk in memory unless told
 * @property {string[]} [options] options of `lunette export`
 * @property {string} [credentials] `user%password` of the URL
 * @property {number} [portals] how many; one unless told
 * @property {string} [parameters] of tgt's logical unit
 */

const portal = '127.0.0.1:0';

/** @type {Configuration[]} */
export const configurations = [
  { name: 'default', target: 'lunette', about: 'thin provisioned, 512-byte blocks' },
  { name: 'removable', target: 'lunette', about: 'a medium that can be ejected', options: ['--removable'] },
  { name: 'read-only', target: 'lunette', about: 'write-protected', options: ['--read-only'] },
  {
    name: '512e',
    target: 'lunette',
    about: '512-byte blocks on 4 KiB physical blocks',
    options: ['--physical-block-size', '4096'],
  },
  { name: '4Kn', target: 'lunette', about: '4 KiB blocks', options: ['--block-size', '4096'] },
  { name: 'multipath', target: 'lunette', about: 'two portals, both given to the suite', portals: 2 },
  {
    name: 'chap',
    target: 'lunette',
    about: 'the initiator authenticates itself with CHAP',
    options: ['--chap', 'conformance:a secret of some length'.replaceAll(' ', '-')],
    credentials: 'conformance%a-secret-of-some-length',
  },
  { name: 'tgt', target: 'tgt', about: 'tgt as it comes, a file on disk' },
  {
    name: 'tgt-thin',
    target: 'tgt',
    about: 'tgt with thin provisioning',
    parameters: 'thin_provisioning=1',
  },
];

/** Bytes, as both targets' options spell them. */
export const unitSize = '100M';

/**
 * @param {Configuration} configuration
 * @returns {string[]} arguments of the `lunette` command
 */
export function exportArguments({ definition = 'memory', options = [], portals = 1 }) {
  const listen = Array.from({ length: portals }, () => ['--iscsi', portal]).flat();
  return ['export', definition, '--size', unitSize, ...listen, ...options];
}
