import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { connectBus, type BusConnection } from '../../src/target/bus-connection.js';
import { TcmuService, type ServiceHandler, type TcmuServiceOptions } from '../../src/target/tcmu-service.js';
import { LogLines } from './fixture.js';
import { OPEN_POLICY, PrivateBus, hasDbus } from './private-bus.js';

const SERVICE = 'org.kernel.TCMUService1';
const ROOT = '/org/kernel/TCMUService1';
const MANAGER = `${SERVICE}.HandlerManager1`;

const handler = (subtype: string): ServiceHandler => ({
  subtype,
  description: `${subtype}/PATH\n  a disk`,
  checkConfig: (devConfig) =>
    devConfig.endsWith('good') ? Promise.resolve() : Promise.reject(new Error(`${devConfig}: not good`)),
});

/** Ask until the answer is the one hoped for; mocha's time-out is the limit. */
async function eventually<T>(ask: () => Promise<T> | T, wanted: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe('TcmuService', () => {
  let bus: PrivateBus;
  let log: LogLines;
  let client: BusConnection;
  const services: TcmuService[] = [];
  const connections: BusConnection[] = [];

  before(function () {
    if (!hasDbus()) this.skip();
  });
  beforeEach(async () => {
    log = new LogLines();
    bus = new PrivateBus();
    await bus.start();
    client = await connect();
  });
  afterEach(async () => {
    await Promise.all(services.splice(0).map((service) => service.close()));
    await Promise.all(connections.splice(0).map((connection) => connection.close()));
    await bus.remove();
  });

  const connect = async (): Promise<BusConnection> => {
    const connection = await connectBus(bus.address);
    connections.push(connection);
    return connection;
  };
  const start = async (options: Partial<TcmuServiceOptions> = {}): Promise<TcmuService> => {
    const service = await TcmuService.start({
      handlers: [handler('memory'), handler('file')],
      log,
      busAddress: bus.address,
      retryDelay: 10,
      takeoverDelay: 10,
      ...options,
    });
    services.push(service);
    return service;
  };
  const check = (
    devConfig: string,
    path: string,
    destination = SERVICE,
    from = client,
  ): Promise<[boolean, string]> =>
    from.call({
      destination,
      path,
      interface: SERVICE,
      member: 'CheckConfig',
      signature: 's',
      body: [devConfig],
    });
  const register = (from: BusConnection, subtype: string): Promise<[boolean, string]> =>
    from.call({
      destination: SERVICE,
      path: `${ROOT}/HandlerManager1`,
      interface: MANAGER,
      member: 'RegisterHandler',
      signature: 'ss',
      body: [subtype, 'a guest'],
    });
  /** What targetcli reads: the objects' last path elements. */
  const listed = async (from = client): Promise<string[]> => {
    const objects = await from.call<[string, unknown][]>({
      destination: SERVICE,
      path: ROOT,
      interface: 'org.freedesktop.DBus.ObjectManager',
      member: 'GetManagedObjects',
    });
    return objects.map(([path]) => path.slice(path.lastIndexOf('/') + 1)).sort();
  };
  const owner = (name: string): Promise<string> =>
    client.callBus<string>('GetNameOwner', 's', name).catch(() => '');

  describe('as the owner of the name', () => {
    it('lists its handlers, and only them, with their descriptions', async () => {
      const service = await start();
      expect(service.role).to.equal('owner');
      expect(await listed()).to.deep.equal(['file', 'memory']);
      const objects = await bus.send([
        `--dest=${SERVICE}`,
        ROOT,
        'org.freedesktop.DBus.ObjectManager.GetManagedObjects',
      ]);
      expect(objects).to.include('object path "/org/kernel/TCMUService1/memory"');
      expect(objects).to.include('string "ConfigDesc"').and.include('memory/PATH\n  a disk');
    });

    it('answers CheckConfig with the handler’s own words', async () => {
      await start();
      expect(await check('memory/good', `${ROOT}/memory`)).to.deep.equal([true, 'success']);
      expect(await check('file/bad', `${ROOT}/file`)).to.deep.equal([false, 'file/bad: not good']);
    });

    it('can be introspected, and its properties read', async () => {
      await start();
      const xml = await bus.send([
        `--dest=${SERVICE}`,
        `${ROOT}/memory`,
        'org.freedesktop.DBus.Introspectable.Introspect',
      ]);
      expect(xml).to.include('<method name="CheckConfig">').and.include('name="ConfigDesc" type="s"');
      const get = 'org.freedesktop.DBus.Properties.Get';
      const value = await bus.send([
        `--dest=${SERVICE}`,
        `${ROOT}/memory`,
        get,
        `string:${SERVICE}`,
        'string:ConfigDesc',
      ]);
      expect(value).to.match(/variant +string "memory\/PATH/);
    });

    it('answers calls that make no sense, and lives on', async () => {
      await start();
      const call = (...args: string[]): Promise<string> => bus.send([`--dest=${SERVICE}`, ...args]);
      expect(await call(`${ROOT}/memory`, `${SERVICE}.CheckConfig`, 'uint32:7')).to.include(
        'takes one string',
      );
      expect(await call(`${ROOT}/memory`, `${SERVICE}.CheckConfig`)).to.include('takes one string');
      expect(await call(`${ROOT}/memory`, `${SERVICE}.Explode`)).to.include('UnknownMethod');
      expect(await call(`${ROOT}/absent`, `${SERVICE}.CheckConfig`, 'string:x')).to.include('Error');
      expect(await call(`${ROOT}/HandlerManager1`, `${MANAGER}.RegisterHandler`, 'string:x')).to.include(
        'Error',
      );
      client.bus.connection.message({
        type: 1,
        serial: client.bus.serial++,
        destination: SERVICE,
        path: `${ROOT}/memory`,
        interface: 'org.freedesktop.DBus.Properties',
        member: 'Get',
      });
      expect(await check('memory/good', `${ROOT}/memory`)).to.deep.equal([true, 'success']);
    });

    it('shows a message that a D-Bus string could not hold', async () => {
      await start({
        handlers: [
          {
            ...handler('odd'),
            checkConfig: () => Promise.reject(new Error('a\0b')),
          },
        ],
      });
      expect(await check('odd/', `${ROOT}/odd`)).to.deep.equal([false, 'a\uFFFDb']);
    });

    it('leaves out a handler whose name D-Bus cannot carry, and says so', async () => {
      await start({ handlers: [handler('memory'), handler('my-disk')] });
      expect(await listed()).to.deep.equal(['memory']);
      expect(log.of('warn')[0]).to.include("'my-disk'");
    });

    it('turns a second one away, with the pid of the first', async () => {
      await start();
      const error = await start().catch((reason: Error) => reason);
      expect(error).to.have.property('code', 'ALREADY_RUNNING');
      expect((error as Error).message).to.include(`pid ${process.pid}`);
      expect(await listed()).to.deep.equal(['file', 'memory']);
    });

    it('gives the name up when it is closed', async () => {
      const service = await start();
      await service.close();
      await service.close();
      expect(await owner(SERVICE)).to.equal('');
      await start();
    });

    describe('another daemon', () => {
      let guest: BusConnection;
      beforeEach(async () => {
        await start();
        guest = await connect();
      });
      const offer = async (subtype: string): Promise<[boolean, string]> => {
        await guest.callBus('RequestName', 'su', `${MANAGER}.${subtype}`, 4);
        guest.bus.exportInterface(
          {
            CheckConfig: (devConfig: string) => [devConfig === 'guest/ok', 'said the guest'],
            ConfigDesc: '',
          },
          `${ROOT}/HandlerManager1/${subtype}`,
          { name: SERVICE, methods: { CheckConfig: ['s', 'bs', ['c'], ['ok', 'message']] } },
        );
        return register(guest, subtype);
      };

      it('may register a handler, is asked about its configurations, and takes it along when it leaves', async () => {
        expect(await offer('guest')).to.deep.equal([true, 'success']);
        expect(await listed()).to.deep.equal(['file', 'guest', 'memory']);
        expect(await check('guest/ok', `${ROOT}/guest`)).to.deep.equal([true, 'success']);
        expect(await check('guest/no', `${ROOT}/guest`)).to.deep.equal([false, 'said the guest']);
        await guest.close();
        await eventually(listed, (names) => !names.includes('guest'));
        expect(await listed()).to.deep.equal(['file', 'memory']);
      });

      it('may not take the place of a handler that is there, nor one of a name it does not own', async () => {
        expect(await offer('memory')).to.deep.equal([false, "handler 'memory' is there already"]);
        const [ok, message] = await register(guest, 'phantom');
        expect(ok).to.equal(false);
        expect(message).to.include(`own the bus name ${MANAGER}.phantom first`);
        expect((await register(guest, '../../x'))[0]).to.equal(false);
        expect(await listed()).to.deep.equal(['file', 'memory']);
      });
    });
  });

  describe('where another daemon owns the name', () => {
    /** tcmu-runner, as far as the bus sees it. */
    class Runner {
      readonly registered: string[] = [];
      constructor(readonly connection: BusConnection) {}

      static async start(): Promise<Runner> {
        const runner = new Runner(await connect());
        runner.connection.bus.setMethodCallHandler(`${ROOT}/HandlerManager1`, MANAGER, 'RegisterHandler', [
          (subtype: string) => {
            runner.registered.push(subtype);
            return [subtype !== 'refused', 'as you like'];
          },
          'bs',
        ]);
        expect(await runner.connection.callBus('RequestName', 'su', SERVICE, 4)).to.equal(1);
        return runner;
      }
    }

    it('registers its handlers there, and answers for them under names of their own', async () => {
      const runner = await Runner.start();
      const service = await start();
      expect(service.role).to.equal('registered');
      expect(runner.registered).to.deep.equal(['memory', 'file']);
      const path = `${ROOT}/HandlerManager1/memory`;
      expect(await check('memory/good', path, `${MANAGER}.memory`)).to.deep.equal([true, 'success']);
      expect(await check('memory/x', path, `${MANAGER}.memory`)).to.deep.equal([false, 'memory/x: not good']);
    });

    it('says which handler the owner refused', async () => {
      await Runner.start();
      await start({ handlers: [handler('refused'), handler('memory')] });
      expect(log.of('warn')).to.have.length(1);
      expect(log.of('warn')[0]).to.include("'refused'").and.include('as you like');
    });

    it('turns away a second one whose handlers have the same names', async () => {
      await Runner.start();
      await start();
      const error = await start().catch((reason: Error) => reason);
      expect(error).to.have.property('code', 'ALREADY_RUNNING');
    });

    it('takes the name over where the owner leaves in the middle of it', async () => {
      const runner = await Runner.start();
      runner.connection.bus.setMethodCallHandler(`${ROOT}/HandlerManager1`, MANAGER, 'RegisterHandler', [
        () => runner.connection.close(),
        'bs',
      ]);
      const service = await start();
      await eventually(
        () => service.role,
        (role) => role === 'owner',
      );
      expect(await listed()).to.deep.equal(['file', 'memory']);
    });

    it('registers again when the owner was restarted', async () => {
      const first = await Runner.start();
      const service = await start({ takeoverDelay: 60_000 });
      await first.connection.close();
      await eventually(
        () => owner(SERVICE),
        (name) => name === '',
      );
      const second = await Runner.start();
      await eventually(
        () => second.registered.length,
        (count) => count === 2,
      );
      expect(service.role).to.equal('registered');
    });

    it('takes the name over when the owner stays away', async () => {
      const runner = await Runner.start();
      const service = await start();
      await runner.connection.close();
      await eventually(
        () => service.role,
        (role) => role === 'owner',
      );
      expect(await listed()).to.deep.equal(['file', 'memory']);
      expect(await owner(`${MANAGER}.memory`)).to.equal('');
    });
  });

  describe('with a bus that goes away', () => {
    it('is there again when the bus is', async () => {
      await start();
      await bus.stop();
      await eventually(
        () => log.of('warn').length,
        (count) => count > 0,
      );
      expect(log.of('warn')[0]).to.include('the message bus is gone');
      await bus.start();
      client = await connect();
      await eventually(
        () => owner(SERVICE),
        (name) => name !== '',
      );
      expect(await listed()).to.deep.equal(['file', 'memory']);
    });

    it('can be closed while the bus is away', async () => {
      const service = await start();
      await bus.stop();
      await service.close();
    });

    it('says where it looked for a bus that is not there', async () => {
      for (const busAddress of ['unix:path=/nonexistent/bus', 'carrier-pigeon:loft=3']) {
        const error = await start({ busAddress }).catch((reason: Error) => reason);
        expect(error).to.have.property('code', 'NO_BUS');
        expect((error as Error).message).to.include(busAddress);
      }
    });
  });
});

describe('the bus policy', () => {
  const shipped = readFileSync(
    new URL('../../share/dbus-1/system.d/org.kernel.TCMUService1.conf', import.meta.url),
    'utf8',
  );
  /** What the system bus has for everybody. */
  const closed =
    '<policy context="default"><deny own="*"/><deny send_type="method_call"/><allow send_type="signal"/>' +
    '<allow send_requested_reply="true" send_type="method_return"/>' +
    '<allow send_requested_reply="true" send_type="error"/><allow receive_type="method_call"/>' +
    '<allow receive_type="method_return"/><allow receive_type="error"/><allow receive_type="signal"/>' +
    '<allow send_destination="org.freedesktop.DBus"/></policy>';
  const elements = /<policy[\s\S]*<\/policy>/.exec(shipped)?.[0] ?? '';
  let bus: PrivateBus;
  let service: TcmuService | undefined;

  before(function () {
    if (!hasDbus() || process.geteuid?.() !== 0) this.skip();
  });
  beforeEach(() => (service = undefined));
  afterEach(async () => {
    await service?.close();
    await bus.remove();
  });

  const start = async (policy: string): Promise<void> => {
    bus = new PrivateBus(policy);
    await bus.start();
    service = await TcmuService.start({
      handlers: [handler('memory')],
      log: new LogLines(),
      busAddress: bus.address,
    });
  };
  const callCheck = (uid?: number): Promise<string> =>
    bus.send([`--dest=${SERVICE}`, `${ROOT}/memory`, `${SERVICE}.CheckConfig`, 'string:memory/good'], uid);

  it('lets root own the name and call the service, and nobody else call it', async () => {
    await start(closed + elements);
    expect(await callCheck()).to.include('boolean true');
    expect(await callCheck(65_534)).to.include('AccessDenied');
  });

  it('is what is missing where the bus refuses the name', async () => {
    const error = await start(closed).catch((reason: Error) => reason);
    expect(error).to.have.property('code', 'NOT_ALLOWED');
    expect((error as Error).message).to.include('org.kernel.TCMUService1.conf');
  });

  it('adds nothing to a bus where all is allowed', async () => {
    await start(OPEN_POLICY + elements);
    expect(await callCheck()).to.include('boolean true');
  });
});
