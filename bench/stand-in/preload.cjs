const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const process = require('node:process');
const { isMainThread } = require('node:worker_threads');

/*
 * Loaded before lunette in each process and thread that serves devices of a StandInKernel: where lunette opens a UIO
 * device it gets that kernel's region, whose descriptors are taken from the process that plays the kernel. No module,
 * and nothing ahead of its use: each thread pays for what is loaded here, and it is not lunette's.
 */

const binding = require('../../build/Release/lunette.node');

let regions;

/** @param {string} path `/dev/uio0` */
function openRegion(path) {
  const { adopt, release } = require('../ring/build/Release/ring_bench.node');
  regions ??= JSON.parse(readFileSync(join(process.env.LUNETTE_STAND_IN, 'regions.json'), 'utf8'));
  const { memory, wake, doorbell, size } = regions.byPath[path];
  const ours = [memory, wake, doorbell].map((descriptor) => adopt(regions.pid, descriptor));
  const region = binding.MemoryRegion.attach({ memory: ours[0], wake: ours[1], doorbell: ours[2], size });
  for (const descriptor of ours) release(descriptor);
  return region;
}

binding.UioRegion = function UioRegion(path) {
  return openRegion(path);
};
if (isMainThread) binding.NetlinkSocket = require('./netlink.cjs').StandInNetlink;
