import { expect } from 'chai';
import { Daemon } from './support/daemon.js';
import { fileDisk, memoryDisk } from './support/disks.js';
import { LoopbackLun } from './support/lun.js';
import { moodyHandler, useLunette } from './support/lunette.js';
import { bash, run } from './support/run.js';
import { attempt, type TargetcliResult } from './support/targetcli.js';

const moody = ['--handler', moodyHandler];

describe('the daemon’s life', () => {
  const lunette = useLunette({ args: moody });

  it('turns a second daemon away, says why, and goes on', async () => {
    const lun = await memoryDisk.create('16M');
    const { status, output } = await Daemon.refused();
    expect(status).to.equal(1);
    expect(output).to.match(/org\.kernel\.TCMUService1/);
    await bash(`head -c 16M /dev/urandom >/tmp/pattern
      dd if=/tmp/pattern of=${lun.path} bs=1M oflag=direct status=none
      cmp /tmp/pattern ${lun.path}; rm /tmp/pattern`);
    await lun.remove();
  });

  /** One block is being written at byte 16384; the writer ends when it was answered. */
  async function beginWrite(lun: LoopbackLun): Promise<{ written: Promise<unknown> }> {
    const written = bash(`dd if=/dev/zero of=${lun.path} bs=4k seek=4 count=1 oflag=direct status=none`);
    await lunette.daemon.logged('the write', /writing at 16384/);
    // In an object, or `await` would wait for it too.
    return { written };
  }

  it('answers what is in flight at SIGTERM, and exits with 0', async () => {
    const lun = await LoopbackLun.create({ backstore: 'user:moody', size: '64M', cfgstring: '?delay=1000' });
    const { written } = await beginWrite(lun);
    expect(await lunette.daemon.stop()).to.equal(0);
    expect(lunette.daemon.log.map(({ msg }) => msg)).to.include('written at 16384');
    await written;
    expect(lunette.daemon.complaints()).to.deep.equal([]);
    lunette.daemon = await Daemon.start(moody);
    await lun.remove();
  });

  it('leaves at once at a second SIGTERM; what it did not answer the next one does', async () => {
    const lun = await LoopbackLun.create({ backstore: 'user:moody', size: '64M', cfgstring: '?delay=8000' });
    const { written } = await beginWrite(lun);
    lunette.daemon.signal('SIGTERM');
    await lunette.daemon.logged('the first signal', /draining/);
    lunette.daemon.signal('SIGTERM');
    expect(await lunette.daemon.exited).to.equal(1);
    expect(lunette.daemon.log.map(({ msg }) => msg)).not.to.include('written at 16384');
    lunette.daemon = await Daemon.start(moody);
    await written;
    expect(lunette.daemon.log.map(({ msg }) => msg)).to.include('written at 16384');
    await lun.remove();
  });

  it('serves existing LUNs again when it is started anew; what came meanwhile waits and is answered', async () => {
    const lun = await fileDisk.create('64M');
    await bash(`head -c 32M /dev/urandom >/tmp/pattern
      dd if=/tmp/pattern of=${lun.path} bs=1M oflag=direct status=none`);
    expect(await lunette.daemon.stop()).to.equal(0);
    const waiting = run('cmp', ['/tmp/pattern', lun.path, '-n', '32M']);
    lunette.daemon = await Daemon.start(moody);
    await waiting;
    await bash(`dd if=/tmp/pattern of=${lun.path} bs=1M seek=32 oflag=direct status=none
      cmp -n 32M -i 0:32M /tmp/pattern ${lun.path}; rm /tmp/pattern`);
    await lun.remove();
  });

  lunette.endsQuietly();
});

describe('a handler that misbehaves', () => {
  const lunette = useLunette({
    args: [...moody, '--command-timeout', '2'],
    expectedErrors: /a handler’s mistake|took longer than 2000 ms: aborted|verbs never ended/,
    expectedAlarms: /I\/O error|critical|Buffer I\/O/,
  });
  let lun: LoopbackLun;
  before(async () => {
    lun = await LoopbackLun.create({ backstore: 'user:moody', size: '64M', cfgstring: '' });
  });

  const faults: [string, number, RegExp][] = [
    ['throws', 1, /Input\/output error|Remote I\/O error/],
    // Linux's word for a medium error.
    ['rejects', 2, /No data available/],
    ['never answers', 3, /Input\/output error|Connection timed out/],
  ];
  for (const [what, megabyte, message] of faults) {
    it(`gets an error to the initiator where it ${what}, and the disk goes on`, async () => {
      const read = (at: number) =>
        run(
          'dd',
          [`if=${lun.path}`, 'of=/dev/null', 'bs=4k', `skip=${at * 256}`, 'count=1', 'iflag=direct'],
          {
            mayFail: true,
            timeout: 50_000,
          },
        );
      const { status, stderr } = await read(megabyte);
      expect(status).to.equal(1);
      expect(stderr).to.match(message);
      expect((await read(5)).status).to.equal(0);
    });
  }

  it('is reported as a medium error in the sense data where it rejects with EIO', async () => {
    const { output } = await run(
      'sg_raw',
      ['-r', '4096', lun.path, ...'28 00 00 00 10 00 00 00 08 00'.split(' ')],
      {
        mayFail: true,
      },
    );
    expect(output).to.match(/Medium Error/i);
    expect(output).to.match(/Unrecovered read error/i);
  });

  lunette.endsQuietly();
});

describe('a handler that never opens its disk', () => {
  const lunette = useLunette({
    args: moody,
    expectedErrors: /the daemon is leaving/,
    expectedAlarms: /Failed to add|netlink/i,
  });
  before(() => bash('touch /tmp/stuck'));
  const create = (): Promise<TargetcliResult> =>
    attempt('/backstores/user:moody create name=stuck size=64M cfgstring=?stuck=/tmp/stuck');

  it('does not keep the daemon from leaving at SIGTERM, which lets targetcli go on', async () => {
    const creating = create();
    await lunette.daemon.logged('the handler at work', /^opening$/);
    expect(await lunette.daemon.stop()).to.equal(0);
    expect((await creating).failed).to.equal(true);
  });

  it('does not keep targetcli waiting for ever after kill -9, nor the next daemon from serving', async () => {
    lunette.daemon = await Daemon.start(moody);
    const creating = create();
    await lunette.daemon.logged('the handler at work', /^opening$/);
    lunette.daemon.signal('SIGKILL');
    expect(await lunette.daemon.exited).to.equal(137);
    await bash('rm /tmp/stuck');
    lunette.daemon = await Daemon.start(moody);
    // The kernel's word for it is EINTR, after which Python tries again: so this may well succeed.
    await creating;
    const lun = await memoryDisk.create('16M');
    await lun.remove();
  });

  lunette.endsQuietly();
});

describe('a file that finds no space', () => {
  const lunette = useLunette({
    expectedAlarms: /critical space allocation error/,
  });

  it('tells the initiator so, and works on', async () => {
    await bash('mkdir -p /mnt/small && mount -t tmpfs -o size=8m small /mnt/small');
    const lun = await LoopbackLun.create({
      backstore: 'user:file',
      size: '64M',
      cfgstring: '/mnt/small/disk.img?create=1',
    });
    const { status, stderr } = await run(
      'dd',
      ['if=/dev/zero', `of=${lun.path}`, 'bs=1M', 'count=32', 'oflag=direct'],
      { mayFail: true },
    );
    expect(status).to.equal(1);
    expect(stderr).to.match(/No space left on device/);
    await bash(`blkdiscard ${lun.path}; dd if=/dev/zero of=${lun.path} bs=1M count=2 oflag=direct`);
    await lun.remove();
    await bash('umount /mnt/small');
  });

  lunette.endsQuietly();
});
