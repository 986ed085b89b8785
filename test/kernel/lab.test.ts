import { expect } from 'chai';
import { KernelLog } from './support/kernel-log.js';
import { LoopbackLun } from './support/lun.js';
import { run } from './support/run.js';

describe('the lab itself', () => {
  it('makes a disk of the kernel’s own ramdisk backstore, so that a failure elsewhere is not the lab’s', async () => {
    const log = await KernelLog.fromNow();
    const lun = await LoopbackLun.create({ backstore: 'ramdisk', size: '64M' });
    expect(lun.size).to.equal(64 * 2 ** 20);
    const { stdout } = await run('sg_inq', [lun.path]);
    expect(stdout).to.match(/RAMDISK-MCP|ramdisk|LIO-ORG/i);
    await lun.remove();
    expect(await log.alarms()).to.deep.equal([]);
  });
});
