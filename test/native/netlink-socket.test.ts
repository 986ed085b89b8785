import { expect } from 'chai';
import { native, type NetlinkSocketHandle } from '../../src/native/addon.js';
import { thrownBy } from './support/errors.js';

/* Numbers of uapi/linux/netlink.h and genetlink.h. */
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_REQUEST = 1;
const NLM_F_DUMP = 0x300;
const GENL_ID_CTRL = 0x10;
const CTRL_CMD_NEWFAMILY = 1;
const CTRL_CMD_GETFAMILY = 3;
const CTRL_ATTR_FAMILY_NAME = 2;
const HEADER = 16;

/** CTRL_CMD_GETFAMILY, of one family or as a dump of all. */
function getFamily(sequence: number, name?: string): Uint8Array {
  const attribute = name === undefined ? 0 : 4 + name.length + 1;
  const message = Buffer.alloc(HEADER + 4 + ((attribute + 3) & ~3));
  message.writeUInt32LE(message.length, 0);
  message.writeUInt16LE(GENL_ID_CTRL, 4);
  message.writeUInt16LE(name === undefined ? NLM_F_REQUEST | NLM_F_DUMP : NLM_F_REQUEST, 6);
  message.writeUInt32LE(sequence, 8);
  message.writeUInt8(CTRL_CMD_GETFAMILY, HEADER);
  message.writeUInt8(1, HEADER + 1);
  if (name !== undefined) {
    message.writeUInt16LE(attribute, HEADER + 4);
    message.writeUInt16LE(CTRL_ATTR_FAMILY_NAME, HEADER + 6);
    message.write(name, HEADER + 8, 'latin1');
  }
  return new Uint8Array(message);
}

/** The messages of one datagram. */
function messages(datagram: Uint8Array): Buffer[] {
  const bytes = Buffer.from(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  const found: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += (bytes.readUInt32LE(at) + 3) & ~3) {
    found.push(bytes.subarray(at, at + bytes.readUInt32LE(at)));
  }
  return found;
}

describe('NetlinkSocket', () => {
  const { NetlinkSocket } = native();
  let socket: NetlinkSocketHandle;

  beforeEach(() => {
    socket = new NetlinkSocket(65536);
  });

  afterEach(() => socket.close());

  const answer = (): Promise<Uint8Array> => new Promise((resolve) => socket.onMessage(resolve));

  it('asks the kernel for a generic-netlink family and gets its id, addressed to its port', async () => {
    const received = answer();
    socket.send(getFamily(77, 'nlctrl'));
    const [message] = messages(await received);
    expect(message.readUInt16LE(4)).to.equal(GENL_ID_CTRL);
    expect(message.readUInt32LE(8)).to.equal(77);
    expect(message.readUInt32LE(12)).to.equal(socket.portId);
    expect(message.readUInt8(HEADER)).to.equal(CTRL_CMD_NEWFAMILY);
    expect(message.includes('nlctrl\0')).to.equal(true);
  });

  it('hands over the error of a family that is not there', async () => {
    const received = answer();
    socket.send(getFamily(1, 'no-such'));
    const [message] = messages(await received);
    expect(message.readUInt16LE(4)).to.equal(NLMSG_ERROR);
    expect(message.readInt32LE(HEADER)).to.equal(-2);
  });

  it('hands over every datagram of a dump, whole and each in an array of its own', async () => {
    const datagrams: Uint8Array[] = [];
    const all: Buffer[] = [];
    await new Promise<void>((resolve) => {
      socket.onMessage((datagram) => {
        datagrams.push(datagram);
        all.push(...messages(datagram));
        if (all.at(-1)?.readUInt16LE(4) === NLMSG_DONE) resolve();
      });
      socket.send(getFamily(5));
    });
    expect(new Set(datagrams.map(({ buffer }) => buffer)).size).to.equal(datagrams.length);
    expect(all.filter((message) => message.includes('nlctrl\0'))).to.have.length(1);
    expect(all.every((message) => message.readUInt32LE(8) === 5)).to.equal(true);
  });

  it('hands over several answers in the order of the questions', async () => {
    const sequences: number[] = [];
    await new Promise<void>((resolve) => {
      socket.onMessage((datagram) => {
        sequences.push(...messages(datagram).map((message) => message.readUInt32LE(8)));
        if (sequences.length === 20) resolve();
      });
      for (let i = 0; i < 20; i++) socket.send(getFamily(i, 'nlctrl'));
    });
    expect(sequences).to.deep.equal([...Array(20).keys()]);
  });

  it('a socket closed in its callback hands over nothing more', async () => {
    const second = new NetlinkSocket(65536);
    let calls = 0;
    socket.onMessage(() => {
      calls += 1;
      socket.close();
    });
    for (let i = 0; i < 3; i++) socket.send(getFamily(i, 'nlctrl'));
    await new Promise<void>((resolve) => {
      let answers = 0;
      second.onMessage(() => {
        answers += 1;
        if (answers === 5) resolve();
        else second.send(getFamily(answers, 'nlctrl'));
      });
      second.send(getFamily(0, 'nlctrl'));
    });
    second.close();
    expect(calls).to.equal(1);
  });

  it('gives each socket a port of its own', () => {
    const other = new NetlinkSocket(65536);
    expect(other.portId).not.to.equal(socket.portId);
    other.close();
  });

  it('says what receive buffer it got: the kernel doubles it', () => {
    expect(socket.receiveBufferSize).to.equal(131072);
  });

  it('goes beyond net.core.rmem_max where it may', function () {
    if (process.getuid?.() !== 0) this.skip();
    const big = new NetlinkSocket(4 << 20);
    expect(big.receiveBufferSize).to.be.at.least(4 << 20);
    big.close();
  });

  it('joins a multicast group that exists, and no other', () => {
    socket.joinGroup(GENL_ID_CTRL);
    expect(thrownBy(() => socket.joinGroup(2 ** 31 - 1))).to.include({
      syscall: 'setsockopt',
      code: 'EINVAL',
    });
  });

  it('refuses bad arguments', () => {
    expect(() => new NetlinkSocket(0)).to.throw(RangeError, 'NetlinkSocket: receiveBuffer');
    expect(() => new NetlinkSocket(2 ** 31)).to.throw(RangeError, 'NetlinkSocket: receiveBuffer');
    expect(() => socket.send('text' as never)).to.throw(TypeError, 'NetlinkSocket: datagram');
    expect(() => socket.joinGroup(0)).to.throw(RangeError, 'NetlinkSocket: group');
    expect(() => socket.onMessage(null as never)).to.throw(TypeError, 'onMessage callback');
    expect(() => socket.setRef('yes' as never)).to.throw(TypeError, 'must be a boolean');
  });

  it('refuses everything but close after close, and a second listener before it', () => {
    socket.onMessage(() => {});
    expect(() => socket.onMessage(() => {})).to.throw('NetlinkSocket has a listener already');
    socket.close();
    socket.close();
    const calls: Record<string, () => void> = {
      send: () => socket.send(getFamily(0, 'nlctrl')),
      onMessage: () => socket.onMessage(() => {}),
      joinGroup: () => socket.joinGroup(GENL_ID_CTRL),
      setRef: () => socket.setRef(false),
    };
    for (const [method, call] of Object.entries(calls)) {
      expect(call, method).to.throw(`NetlinkSocket.${method}: the socket is closed`);
    }
  });
});
