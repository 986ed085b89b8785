import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { ending, LastLines, watch } from './child-process.mjs';

const name = 'iqn.2026-01.io.lunette:tgt';
const host = '127.0.0.1';
const size = 100 * 1024 * 1024;

/** tgt's LUN 0 is its controller. */
const lun = 1;

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, host, () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/**
 * Start a tgtd with a control socket of its own.
 * @param {import('./configurations.mjs').Configuration} configuration
 * @returns {Promise<import('./run.mjs').RunningTarget>}
 */
export async function startTgt({ parameters }) {
  const folder = mkdtempSync(join(tmpdir(), 'lunette-tgt-'));
  const port = await freePort();
  const env = { ...process.env, TGT_IPC_SOCKET: join(folder, 'socket') };
  const image = join(folder, 'disk.img');
  writeFileSync(image, '');
  truncateSync(image, size);

  const child = spawn('/usr/sbin/tgtd', ['-f', '--iscsi', `portal=${host}:${port}`], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const errors = new LastLines(child.stderr);
  // tgtd goes on after SIGTERM while anything is defined.
  const watched = watch(child, errors, 'tgtd', 'SIGKILL');
  const failed = new Promise((_, reject) => child.on('error', reject));
  const admin = (...args) =>
    spawnSync('/usr/sbin/tgtadm', ['--lld', 'iscsi', '--tid', '1', ...args], { env, encoding: 'utf8' });
  const stop = async () => {
    await watched.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  const must = (...args) => {
    const { status, stderr } = admin(...args);
    if (status !== 0) throw new Error(`tgtadm ${args.join(' ')}: ${stderr.trim()}\n${errors}`);
  };
  try {
    const make = ['--op', 'new', '--mode', 'target', '-T', name];
    for (let attempt = 0; admin(...make).status !== 0; attempt++) {
      if (attempt === 50 || ending(child) !== undefined) throw new Error(`tgtd does not answer\n${errors}`);
      await Promise.race([delay(100), failed]);
    }
    const unit = ['--mode', 'logicalunit', '--lun', String(lun)];
    must('--op', 'new', ...unit, '-b', image);
    if (parameters !== undefined) must('--op', 'update', ...unit, '--params', parameters);
    must('--op', 'bind', '--mode', 'target', '-I', 'ALL');
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    urls: [`iscsi://${host}:${port}/${name}/${lun}`],
    died: watched.died,
    stop,
  };
}
