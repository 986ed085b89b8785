import { expect } from 'chai';
import { handlerRegistry } from '../../src/daemon/handler-registry.js';
import { prepareDevice } from '../../src/daemon/prepare-device.js';
import { RecordingLog } from '../device/support.js';
import { tcmu } from './host/support.js';

describe('what is run ahead of opening a device', () => {
  it('touches nothing, and leaves it to the opening to say what is wrong', async () => {
    const log = new RecordingLog();
    await prepareDevice(tcmu, await handlerRegistry(), { commandTimeout: 1000 }, log as never);
    expect(log.lines).to.deep.equal([]);
    for (const device of [
      { ...tcmu, subtype: 'nobody' },
      { ...tcmu, subtype: 'file', cfgstring: 'not/absolute' },
    ]) {
      await prepareDevice(device, await handlerRegistry(), { commandTimeout: 1000 }, log as never);
    }
    expect(log.lines.filter((line) => !line.startsWith('debug'))).to.deep.equal([]);
  });
});
