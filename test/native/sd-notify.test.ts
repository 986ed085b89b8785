import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import { native } from '../../src/native/addon.js';
import { thrownBy } from './support/errors.js';

/** Node has no datagram sockets in the UNIX domain. Prints a line when bound, and the datagram it receives. */
const MANAGER = `
import socket, sys
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
name = sys.argv[1]
manager.bind('\\0' + name[1:] if name[0] == '@' else name)
print('bound', flush=True)
sys.stdout.buffer.write(manager.recv(65536))
`;

describe('notify', () => {
  const addon = native();
  const inherited = process.env.NOTIFY_SOCKET;
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'lunette-notify-'));
  });

  after(() => rmSync(folder, { recursive: true }));

  afterEach(() => {
    if (inherited === undefined) delete process.env.NOTIFY_SOCKET;
    else process.env.NOTIFY_SOCKET = inherited;
  });

  for (const [kind, name] of [
    ['a path', () => join(folder, 'notify')],
    ['a name in the abstract namespace', () => `@lunette-test-${process.pid}`],
  ] as const) {
    it(`sends the state to ${kind}`, async () => {
      const manager = spawn('python3', ['-c', MANAGER, name()], { stdio: ['ignore', 'pipe', 'inherit'] });
      const exit = once(manager, 'close');
      const lines = createInterface(manager.stdout);
      const received: string[] = [];
      lines.on('line', (line) => received.push(line));
      await once(lines, 'line');

      process.env.NOTIFY_SOCKET = name();
      expect(addon.notify('READY=1\nSTATUS=2 disks, größer\n')).to.equal(true);
      await exit;
      expect(received).to.deep.equal(['bound', 'READY=1', 'STATUS=2 disks, größer']);
    });
  }

  it('says false where no service manager listens', () => {
    delete process.env.NOTIFY_SOCKET;
    expect(addon.notify('READY=1')).to.equal(false);
    process.env.NOTIFY_SOCKET = '';
    expect(addon.notify('READY=1')).to.equal(false);
    process.env.NOTIFY_SOCKET = join(folder, 'gone');
    expect(addon.notify('READY=1')).to.equal(false);
    process.env.NOTIFY_SOCKET = '@lunette-test-gone';
    expect(addon.notify('READY=1')).to.equal(false);
  });

  it('refuses an address that is no UNIX socket, and one too long', () => {
    process.env.NOTIFY_SOCKET = 'vsock:2:1234';
    expect(thrownBy(() => addon.notify('READY=1'))).to.include({
      code: 'EAFNOSUPPORT',
      path: 'vsock:2:1234',
    });
    process.env.NOTIFY_SOCKET = `/${'x'.repeat(108)}`;
    expect(thrownBy(() => addon.notify('READY=1')).code).to.equal('ENAMETOOLONG');
  });

  it('refuses a state that is no string', () => {
    expect(() => addon.notify(1 as never)).to.throw(TypeError, 'notify: state must be a string');
  });
});
