import { nearest } from '../../handlers/suggest.js';
import { RpcError } from './json-rpc.js';
import { openRpcDocument } from './open-rpc.js';
import {
  controlError,
  deviceSummarySchema,
  type CheckedParams,
  type MethodName,
  type Result,
} from './schema.js';
import type { ControlDevice, ControlTarget } from './target.js';

/** Who calls: the connection, which keeps what a caller has subscribed to. */
export interface Caller {
  /** @returns a number that names the subscription @throws RpcError where there are too many */
  subscribe(device: ControlDevice): number;
  /** @returns whether there was one */
  unsubscribe(subscription: number): boolean;
}

type Methods = {
  readonly [Name in MethodName]: (
    params: CheckedParams<Name>,
    caller: Caller,
  ) => Result<Name> | Promise<Result<Name>>;
};

/** @throws RpcError that names the devices there are, or those that `name` could mean */
function findDevice(target: ControlTarget, name: string): ControlDevice {
  const devices = target.devices();
  const exact = devices.find((device) => device.name === name);
  if (exact) return exact;
  const matches = devices.filter((device) => device.name.endsWith(`/${name}`));
  if (matches.length === 1) return matches[0];
  if (matches.length > 1) {
    const names = matches.map((device) => device.name).join(', ');
    throw new RpcError(controlError.noSuchDevice, `'${name}' could be any of ${names}`);
  }
  throw new RpcError(
    controlError.noSuchDevice,
    `no device '${name}'${hint(
      name,
      devices.map((device) => device.name),
    )}`,
  );
}

function hint(name: string, names: readonly string[]): string {
  if (names.length === 0) return ': the daemon serves none';
  const candidates = name.includes('/') ? names : names.map((full) => full.slice(full.indexOf('/') + 1));
  const near = nearest(name, candidates);
  return near === undefined ? '; `lunette ls` lists them' : `; did you mean '${near}'?`;
}

async function stateOf(device: ControlDevice): Promise<{ name: string; state: string }> {
  const { name, state } = await device.details();
  return { name, state };
}

/** @throws RpcError where the device is neither served nor paused */
async function checkAlive(device: ControlDevice): Promise<void> {
  const { name, state } = await stateOf(device);
  if (state === 'serving' || state === 'paused') return;
  throw new RpcError(controlError.wrongState, `${name} is ${state}`);
}

async function pause(device: ControlDevice, seconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<true>((resolve) => {
    timer = setTimeout(() => resolve(true), seconds * 1000).unref();
  });
  const isLate = await Promise.race([device.pause().then(() => false), expired]).finally(() =>
    clearTimeout(timer),
  );
  if (!isLate) return;
  const { name, inFlight } = await device.details();
  throw new RpcError(
    controlError.timedOut,
    `${name}: ${inFlight} commands still run after ${seconds} s; it stays paused until it is resumed`,
  );
}

/** What each method does. */
export function controlMethods(target: ControlTarget): Methods {
  return {
    'rpc.discover': () => openRpcDocument(target.version),
    version: () => ({ version: target.version, pid: process.pid, uptime: process.uptime() }),
    list: async () => ({
      devices: await Promise.all(
        target.devices().map(async (device) => deviceSummarySchema.parse(await device.details())),
      ),
    }),
    show: ({ device }) => findDevice(target, device).details(),
    pause: async ({ device: name, timeout }) => {
      const device = findDevice(target, name);
      await checkAlive(device);
      await pause(device, timeout);
      return stateOf(device);
    },
    resume: async ({ device: name }) => {
      const device = findDevice(target, name);
      await checkAlive(device);
      await device.resume();
      return stateOf(device);
    },
    reload: async ({ device: name }) => {
      const device = findDevice(target, name);
      if (!target.reload) {
        throw new RpcError(controlError.notSupported, 'this daemon cannot load a handler anew');
      }
      try {
        await target.reload(device.name);
      } catch (error) {
        throw new RpcError(controlError.failed, (error as Error).message, { cause: error });
      }
      return stateOf(findDevice(target, device.name));
    },
    stats: async ({ device }) => {
      const devices = device === undefined ? target.devices() : [findDevice(target, device)];
      return {
        time: performance.now(),
        devices: await Promise.all(devices.map(async (one) => one.statistics())),
      };
    },
    'trace.start': ({ device }, caller) => ({ subscription: caller.subscribe(findDevice(target, device)) }),
    'trace.stop': ({ subscription }, caller) => {
      if (caller.unsubscribe(subscription)) return {};
      throw new RpcError(controlError.wrongState, `there is no subscription ${subscription}`);
    },
    'logLevel.get': () => ({ level: target.logLevel }),
    'logLevel.set': ({ level }) => {
      target.logLevel = level;
      return { level };
    },
  };
}
