import { expect } from 'chai';
import { nameOwner } from '../../../src/daemon/doctor/name-owner.js';
import { connectBus } from '../../../src/target/bus-connection.js';
import { PrivateBus, hasDbus } from '../../target/private-bus.js';

(hasDbus() ? describe : describe.skip)('who owns the name that targetcli asks', () => {
  const bus = new PrivateBus();
  before(() => bus.start());
  after(() => bus.remove());

  it('is a process, or nobody', async () => {
    expect(await nameOwner(bus.address)).to.equal(undefined);
    const owner = await connectBus(bus.address);
    await owner.callBus('RequestName', 'su', 'org.kernel.TCMUService1', 0);
    expect(await nameOwner(bus.address)).to.equal(process.pid);
    await owner.close();
  });

  it('cannot be told without a bus', async () => {
    const error = await nameOwner('unix:path=/nowhere/bus').catch((reason: Error) => reason);
    expect(error).to.include({ code: 'NO_BUS' });
  });
});
