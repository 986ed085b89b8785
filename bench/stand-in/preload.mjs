import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { native } from '../../dist/native/addon.js';
import { loadNative } from '../ring/native.mjs';
import { StandInNetlink } from './netlink.mjs';

/*
 * Loaded before lunette in each process and thread that serves devices of a StandInKernel: where lunette opens a UIO
 * device it gets that kernel's region, whose descriptors are taken from the process that plays the kernel.
 */

const binding = native();
const { adopt, release } = loadNative();

/** @param {string} path `/dev/uio0` */
function openRegion(path) {
  const { pid, regions } = JSON.parse(
    readFileSync(join(process.env.LUNETTE_STAND_IN, 'regions.json'), 'utf8'),
  );
  const { memory, wake, doorbell, size } = regions[path];
  const ours = [memory, wake, doorbell].map((descriptor) => adopt(pid, descriptor));
  const region = binding.MemoryRegion.attach({ memory: ours[0], wake: ours[1], doorbell: ours[2], size });
  for (const descriptor of ours) release(descriptor);
  return region;
}

binding.UioRegion = function UioRegion(path) {
  return openRegion(path);
};
binding.NetlinkSocket = StandInNetlink;
