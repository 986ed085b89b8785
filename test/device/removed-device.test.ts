import { expect } from 'chai';
import { TestDisk } from '../scsi/support/disk.js';
import { serve, turns } from './support.js';

describe('Device', () => {
  it('takes the removal of the device for no fault', async () => {
    for (const isRemoved of [true, false]) {
      const { kernel, device, log } = await serve(new TestDisk(), { isRemoved: () => isRemoved });
      kernel.removeDevice();
      await turns();
      expect(device.state).to.equal('broken');
      const [level] = log.lines.at(-1)!.split(':');
      expect(level, log.lines.at(-1)).to.equal(isRemoved ? 'info' : 'error');
      await device.close();
    }
  });
});
