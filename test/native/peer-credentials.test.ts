import { once } from 'node:events';
import { openSync, closeSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { native } from '../../src/native/addon.js';

describe('peerCredentials', () => {
  it('tells the process and user at the other end of a Unix socket', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lunette-peer-'));
    const server = createServer().listen(join(folder, 'socket'));
    await once(server, 'listening');
    const client = connect(join(folder, 'socket'));
    const [socket] = (await once(server, 'connection')) as [Socket & { _handle: { fd: number } }];
    expect(native().peerCredentials(socket._handle.fd)).to.deep.equal({
      pid: process.pid,
      uid: process.getuid?.(),
      gid: process.getgid?.(),
    });
    client.destroy();
    socket.destroy();
    server.close();
    rmSync(folder, { recursive: true });
  });

  it('fails with the system call and errno where it is no socket', () => {
    const fd = openSync('/dev/null', 'r');
    expect(() => native().peerCredentials(fd))
      .to.throw(/getsockopt/)
      .with.property('code', 'ENOTSOCK');
    closeSync(fd);
    expect(() => native().peerCredentials(-1)).to.throw(RangeError, /fd/);
    expect(() => native().peerCredentials('0' as never)).to.throw(TypeError, /fd/);
  });
});
