import type { Socket } from 'node:net';
import { failure, rpcError, RpcError } from './json-rpc.js';

/** Milliseconds a caller has to read why. */
const PATIENCE = 1000;

/**
 * Tell a caller why it is served no more, and close. What it says meanwhile is read and thrown away: were the
 * socket closed with that unread, the reason might not reach it.
 */
export function hangUp(socket: Socket, reason: string): void {
  socket.removeAllListeners('data');
  socket.resume();
  socket.end(`${failure(null, new RpcError(rpcError.invalidRequest, reason))}\n`);
  const timer = setTimeout(() => socket.destroy(), PATIENCE).unref();
  socket.on('close', () => clearTimeout(timer));
}
