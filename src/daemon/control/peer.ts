import type { Socket } from 'node:net';
import { native, type PeerCredentials } from '../../native/addon.js';

/** Who is at the other end of a Unix socket; undefined where it has already been closed. */
export function peerOf(socket: Socket): PeerCredentials | undefined {
  // Node has no public way to a socket's descriptor.
  const { _handle: handle } = socket as unknown as { _handle?: { fd?: number } | null };
  if (handle?.fd === undefined || handle.fd < 0) return undefined;
  return native().peerCredentials(handle.fd);
}
