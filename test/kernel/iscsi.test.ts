import { expect } from 'chai';
import { existsSync, writeFileSync } from 'node:fs';
import { useLunette } from './support/lunette.js';
import { bash, run } from './support/run.js';
import { until } from './support/wait.js';

const script = 'targetcli-examples/file-over-iscsi.sh';
const target = 'iqn.2026-11.org.example.lunette:disk1';
const initiator = 'iqn.2026-11.org.example:host1';
const user = 'lunette';
const password = 'correct-horse-battery';
const portal = '127.0.0.1:3260';
const image = '/tmp/iscsi-example.img';
const environment = `FILE=${image} SIZE=256M INITIATOR=${initiator} USER_NAME=${user} PASSWORD=${password}`;

function url(secret: string): string {
  return `iscsi://${user}%${secret}@${portal}/${target}/0`;
}

describe('a file over iSCSI, made by the example script', () => {
  const lunette = useLunette({ expectedAlarms: /iscsi|CHAP|login/i });

  before(async () => {
    await bash(`${environment} bash ${script}`);
  });

  it('is listed by discovery', async () => {
    const { stdout } = await run('iscsi-ls', [
      '-s',
      '-i',
      initiator,
      `iscsi://${user}%${password}@${portal}`,
    ]);
    expect(stdout).to.include(target);
    expect(stdout).to.match(/Lun:0.*DIRECT_ACCESS/);
  });

  it('answers libiscsi’s INQUIRY and READ CAPACITY', async () => {
    const inquiry = await run('iscsi-inq', ['-i', initiator, url(password)]);
    expect(inquiry.stdout).to.match(/Peripheral Device Type:DIRECT_ACCESS/);
    const pages = await run('iscsi-inq', ['-i', initiator, '-e', '1', '-c', '176', url(password)]);
    expect(pages.stdout).to.match(/max(imum)?[ _]unmap/i);
    const capacity = await run('iscsi-readcapacity16', ['-i', initiator, url(password)]);
    expect(capacity.stdout).to.match(/Block size:512|RETURNED LOGICAL BLOCK ADDRESS:524287/i);
    expect(capacity.stdout).to.match(/268435456|524287/);
  });

  it('is closed to a wrong password and to an unknown initiator', async () => {
    const wrong = await run('iscsi-inq', ['-i', initiator, url('wrong-wrong-wrong')], { mayFail: true });
    expect(wrong.status).not.to.equal(0);
    expect(wrong.output).to.match(/[Ll]ogin|[Aa]uth/);
    const stranger = await run('iscsi-inq', ['-i', 'iqn.2026-11.org.example:stranger', url(password)], {
      mayFail: true,
    });
    expect(stranger.status).not.to.equal(0);
  });

  it('is a disk of open-iscsi that keeps an ext4 file system over logout and login', async () => {
    writeFileSync('/etc/iscsi/initiatorname.iscsi', `InitiatorName=${initiator}\n`);
    await run('iscsid', []);
    await run('iscsiadm', ['-m', 'discovery', '-t', 'sendtargets', '-p', portal]);
    const node = `iscsiadm -m node -T ${target} -p ${portal}`;
    await bash(`
      ${node} -o update -n node.session.auth.authmethod -v CHAP
      ${node} -o update -n node.session.auth.username -v ${user}
      ${node} -o update -n node.session.auth.password -v ${password}`);
    const login = async (): Promise<string> => {
      await bash(`${node} --login`);
      return until('the iSCSI disk', async () => {
        const { stdout } = await bash(
          `iscsiadm -m session -P 3 | sed -nE 's/.*Attached scsi disk (\\S+).*/\\1/p'`,
        );
        const path = `/dev/${stdout.trim()}`;
        return stdout.trim() !== '' && existsSync(path) && path;
      });
    };
    try {
      let disk = await login();
      await bash(`
        mkdir -p /mnt/iscsi; mkfs.ext4 -q ${disk}; mount ${disk} /mnt/iscsi
        head -c 64M /dev/urandom >/tmp/random; cp /tmp/random /mnt/iscsi/data
        umount /mnt/iscsi; ${node} --logout`);
      disk = await login();
      await bash(`mount ${disk} /mnt/iscsi; cmp /tmp/random /mnt/iscsi/data; umount /mnt/iscsi; rm /tmp/random
        e2fsck -fn ${disk}`);
      const size = await run('lsblk', ['--bytes', '--noheadings', '-o', 'SIZE', disk]);
      expect(Number(size.stdout)).to.equal(256 * 2 ** 20);
    } finally {
      await bash(`${node} --logout || true; iscsiadm -k 0`);
    }
  });

  it('is gone after the script’s --remove, and its image stays', async () => {
    await bash(`${environment} bash ${script} --remove`);
    expect(existsSync(`/sys/kernel/config/target/iscsi/${target}`)).to.equal(false);
    expect(existsSync(image)).to.equal(true);
    await until('the daemon to close it', () => lunette.daemon.deviceMappings().length === 0);
  });

  lunette.endsQuietly();
});
