import { expect } from 'chai';
import sinon from 'sinon';
import { pingInterval, pingWatchdog } from '../../src/daemon/watchdog-ping.js';

describe('the ping of systemd’s watchdog', () => {
  let clock: sinon.SinonFakeTimers;
  beforeEach(() => {
    clock = sinon.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  });
  afterEach(() => clock.restore());

  it('comes twice in the time that systemd waits', () => {
    expect(pingInterval({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '7' }, 7)).to.equal(15_000);
    expect(pingInterval({ WATCHDOG_USEC: '30000000' })).to.equal(15_000);
  });

  it('does not come where nobody waits for it, or for another process', () => {
    expect(pingInterval({})).to.equal(undefined);
    expect(pingInterval({ WATCHDOG_USEC: '0' })).to.equal(undefined);
    expect(pingInterval({ WATCHDOG_USEC: 'soon' })).to.equal(undefined);
    expect(pingInterval({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '8' }, 7)).to.equal(undefined);
  });

  it('comes at once, then regularly, until it is ended', () => {
    const notify = sinon.spy();
    const stop = pingWatchdog({ WATCHDOG_USEC: '2000000' }, notify);
    expect(notify.args).to.deep.equal([['WATCHDOG=1']]);
    clock.tick(3000);
    expect(notify.callCount).to.equal(4);
    stop();
    clock.tick(3000);
    expect(notify.callCount).to.equal(4);
  });

  it('is silent without systemd', () => {
    const notify = sinon.spy();
    pingWatchdog({}, notify)();
    clock.tick(10_000);
    expect(notify.callCount).to.equal(0);
  });
});
