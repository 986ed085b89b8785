import { expect } from 'chai';
import { cleanExit, runScript, withAddon } from '../native/support/script.js';

/*
 * What can go wrong when handles of the addon are forgotten, or their thread ends under them. A crash is the
 * failure looked for, so each case is a process of its own.
 */

describe('garbage collection of the addon’s handles', () => {
  it('an unclosed region gives back its descriptors and its mapping', async () => {
    const result = await runScript(`
      (async () => {
        new MemoryRegion(1 << 20).close();
        new NetlinkSocket(65536).close();
        const files = openFiles();
        for (let i = 0; i < 100; i++) {
          MemoryRegion.attach(new MemoryRegion(1 << 20).descriptors);
          new NetlinkSocket(65536);
        }
        assert.strictEqual(mappedRegions(), 200);
        for (let i = 0; i < 100 && (openFiles() > files || mappedRegions() > 0); i++) {
          gc();
          await turn();
        }
        console.log(openFiles() - files, mappedRegions());
      })();
    `);
    expect(result).to.deep.equal(cleanExit('0 0\n'));
  });

  it('a view outlives its handle: the memory goes with the last of them', async () => {
    const result = await runScript(`
      (async () => {
        let view = new Uint8Array(new MemoryRegion(1 << 20).buffer);
        const files = openFiles();
        for (let i = 0; i < 100 && openFiles() === files; i++) {
          gc();
          await turn();
        }
        assert(openFiles() < files, 'the handle was not collected');
        assert.strictEqual(mappedRegions(), 1);
        view.fill(0x5a);
        assert.strictEqual(view[(1 << 20) - 1], 0x5a);
        view = undefined;
        for (let i = 0; i < 100 && mappedRegions() > 0; i++) {
          gc();
          await turn();
        }
        console.log(mappedRegions());
      })();
    `);
    expect(result).to.deep.equal(cleanExit('0\n'));
  });

  it('a region that listens is not collected', async () => {
    const result = await runScript(`
      (async () => {
        const called = new Promise((resolve) => {
          globalThis.producer = (() => {
            const consumer = new MemoryRegion(4096);
            consumer.onCommand(function () {
              this.close();
              resolve();
            });
            return MemoryRegion.attach(consumer.descriptors);
          })();
        });
        for (let i = 0; i < 10; i++) {
          gc();
          await turn();
        }
        producer.wake();
        await called;
        console.log('called');
      })();
    `);
    expect(result).to.deep.equal(cleanExit('called\n'));
  });

  it('a closed region is collected with its callback', async () => {
    const result = await runScript(`
      (async () => {
        const reference = (() => {
          const region = new MemoryRegion(4096);
          const callback = () => region;
          region.onCommand(callback);
          region.close();
          return new WeakRef(callback);
        })();
        for (let i = 0; i < 100 && reference.deref() !== undefined; i++) {
          await turn();
          gc();
        }
        console.log(reference.deref());
      })();
    `);
    expect(result).to.deep.equal(cleanExit('undefined\n'));
  });

  it('an aligned buffer is freed', async () => {
    const result = await runScript(`
      const resident = () => Number(/VmRSS:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) / 1024;
      (async () => {
        const before = resident();
        for (let i = 0; i < 64; i++) {
          new Uint8Array(addon.alignedBuffer(16 << 20, 4096)).fill(1);
          gc();
          await turn();
        }
        console.log(resident() - before < 512);
      })();
    `);
    expect(result).to.deep.equal(cleanExit('true\n'));
  });
});

describe('the end of a thread with open handles', () => {
  const BUSY_CONSUMER = `
    const region = MemoryRegion.attach(workerData);
    const socket = new NetlinkSocket(65536);
    socket.onMessage(() => {});
    region.onCommand(() => {
      region.storeTail(region.loadHead());
      region.kick();
    });
    parentPort.postMessage('polling');
  `;

  it('terminate() under traffic, again and again, leaks nothing and crashes nothing', async () => {
    const result = await runScript(`
      const source = ${JSON.stringify(withAddon(BUSY_CONSUMER))};
      const { once } = require('node:events');
      (async () => {
        const producer = new MemoryRegion(1 << 16);
        let doorbells = 0;
        let head = 0;
        const push = () => {
          doorbells++;
          producer.storeHead(++head);
          producer.wake();
        };
        producer.onDoorbell(push);
        const oneLife = async () => {
          const worker = new Worker(source, { eval: true, workerData: producer.descriptors });
          await once(worker, 'message');
          const enough = doorbells + 50;
          push();
          while (doorbells < enough) await turn();
          await worker.terminate();
        };
        await oneLife();
        const files = openFiles();
        for (let i = 0; i < 25; i++) await oneLife();
        console.log(openFiles() - files, mappedRegions());
        producer.close();
      })();
    `);
    expect(result).to.deep.equal(cleanExit('0 1\n'));
  });

  it('terminate() in the middle of a callback that never returns', async () => {
    const result = await runScript(`
      const { once } = require('node:events');
      (async () => {
        const producer = new MemoryRegion(4096);
        const worker = new Worker(${JSON.stringify(
          withAddon(`
            const region = MemoryRegion.attach(workerData);
            region.onCommand(() => {
              region.kick();
              for (;;);
            });
          `),
        )}, { eval: true, workerData: producer.descriptors });
        const inside = new Promise((resolve) => producer.onDoorbell(resolve));
        producer.wake();
        await inside;
        await worker.terminate();
        console.log(mappedRegions());
        producer.close();
      })();
    `);
    expect(result).to.deep.equal(cleanExit('1\n'));
  });

  it('several threads have the addon at once, each with its own region', async () => {
    const result = await runScript(`
      const source = ${JSON.stringify(
        withAddon(`
          const consumer = new MemoryRegion(4096);
          const producer = MemoryRegion.attach(consumer.descriptors);
          consumer.onCommand(() => {
            consumer.storeTail(consumer.loadHead());
            consumer.kick();
          });
          producer.onDoorbell(() => {
            const tail = producer.loadTail();
            if (tail < 1000) {
              producer.storeHead(tail + 1);
              return producer.wake();
            }
            consumer.close();
            producer.close();
            parentPort.postMessage(tail);
          });
          producer.storeHead(1);
          producer.wake();
        `),
      )};
      const one = () => new Promise((resolve, reject) => {
        const worker = new Worker(source, { eval: true });
        let answer;
        worker.on('message', (tail) => (answer = tail));
        worker.on('error', reject);
        worker.on('exit', (code) => resolve(code + ':' + answer));
      });
      Promise.all([one(), one(), one(), one()]).then((results) => console.log(results.join(' ')));
    `);
    expect(result).to.deep.equal(cleanExit('0:1000 0:1000 0:1000 0:1000\n'));
  });

  it('process.exit() in a callback, with everything open', async () => {
    const result = await runScript(`
      const region = new MemoryRegion(4096);
      new NetlinkSocket(65536).onMessage(() => {});
      region.onCommand(() => process.exit(7));
      MemoryRegion.attach(region.descriptors).wake();
    `);
    expect(result).to.deep.equal({ ...cleanExit(''), code: 7 });
  });

  it('an open region keeps the process alive, and setRef(false) lets it end', async () => {
    const result = await runScript(`
      const region = new MemoryRegion(4096);
      const producer = MemoryRegion.attach(region.descriptors);
      const socket = new NetlinkSocket(65536);
      socket.setRef(false);
      socket.onMessage(() => {});
      region.onDoorbell(() => {});
      region.onCommand(() => {
        console.log('woken');
        region.setRef(false);
      });
      new Worker('setImmediate(() => {})', { eval: true }).on('exit', () => producer.wake());
    `);
    expect(result).to.deep.equal(cleanExit('woken\n'));
  });
});

describe('failures in and under a callback of the addon', () => {
  it('what a callback throws is an uncaught exception, and the region goes on', async () => {
    const result = await runScript(`
      const region = new MemoryRegion(4096);
      const producer = MemoryRegion.attach(region.descriptors);
      let calls = 0;
      process.on('uncaughtException', (error) => {
        console.log(error.message);
        producer.wake();
      });
      region.onCommand(() => {
        if (++calls === 1) throw new Error('from the callback');
        console.log('second call');
        region.close();
      });
      producer.wake();
    `);
    expect(result).to.deep.equal(cleanExit('from the callback\nsecond call\n'));
  });

  it('without a listener for it, the exception ends the process with its stack', async () => {
    const result = await runScript(`
      const region = new MemoryRegion(4096);
      region.onCommand(function nameInTheStack() {
        throw new Error('from the callback');
      });
      MemoryRegion.attach(region.descriptors).wake();
    `);
    expect(result.code).to.equal(1);
    expect(result.signal).to.equal(null);
    expect(result.stderr).to.match(/Error: from the callback\n\s+at .*nameInTheStack/);
  });

  it('promises settled in a callback run before the next one', async () => {
    const result = await runScript(`
      const region = new MemoryRegion(4096);
      const producer = MemoryRegion.attach(region.descriptors);
      const order = [];
      region.onCommand(() => {
        order.push('callback');
        producer.wake();
        process.nextTick(() => order.push('tick'));
        Promise.resolve().then(() => order.push('promise'));
        if (order.length > 3) {
          region.close();
          setImmediate(() => console.log(order.join(' ')));
        }
      });
      producer.wake();
    `);
    expect(result).to.deep.equal(cleanExit('callback tick promise callback tick promise\n'));
  });

  // What a removed UIO device looks like: a descriptor that stays readable and has nothing to read.
  it('a descriptor that fails ends the polling with one last call, and the process can end', async () => {
    const result = await runScript(`
      const { execFileSync } = require('node:child_process');
      const { closeSync, constants, mkdtempSync, openSync, rmSync } = require('node:fs');
      const folder = mkdtempSync(require('node:os').tmpdir() + '/lunette-fifo-');
      execFileSync('mkfifo', [folder + '/fifo']);
      const reader = openSync(folder + '/fifo', constants.O_RDONLY | constants.O_NONBLOCK);
      const writer = openSync(folder + '/fifo', constants.O_WRONLY);
      rmSync(folder, { recursive: true });
      const region = new MemoryRegion(4096);
      const attached = MemoryRegion.attach({ ...region.descriptors, wake: reader });
      closeSync(reader);
      attached.onCommand((error) => console.log(error.code, error.syscall));
      closeSync(writer);
    `);
    expect(result).to.deep.equal(cleanExit('EIO read\n'));
  });
});
