import type { DiskMaker } from '../contract.js';
import { requestedGeometry } from '../geometry.js';
import { BlockDeviceDisk } from './block-device-disk.js';
import { inspect, openImage, type FileOptions } from './image.js';
import { RegularFileDisk } from './regular-file-disk.js';

/** The handler without its schema. */
export const fileDisks: DiskMaker<FileOptions> = {
  name: 'file',
  async check(config) {
    await inspect(config);
  },
  async open(config, request) {
    const image = await openImage(config, requestedGeometry(config, request), request.log);
    return image.isBlockDevice ? new BlockDeviceDisk(image) : new RegularFileDisk(image);
  },
};
