import { spawn } from 'node:child_process';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { clearTimeout, setTimeout } from 'node:timers';
import { ending, endProcess, LastLines } from '../conformance/libiscsi/child-process.mjs';

/**
 * Run a virtual machine until it powers itself off. The processor is QEMU's own translator: it needs no KVM, and
 * no more rights than any program.
 * @param {object} options
 * @param {string} options.kernel
 * @param {string} options.initramfs path
 * @param {{ device: string, url: string }[]} options.disks
 * @param {number} options.seconds bound on the machine's whole life
 * @param {(line: string) => void} options.onLine each line of the serial port
 * @returns {Promise<string | undefined>} what went wrong; undefined where nothing did
 */
export async function runMachine({ kernel, initramfs, disks, seconds, onLine }) {
  const drives = disks.flatMap(({ device, url }, index) => [
    '-drive',
    `file=${url},if=none,id=disk${index},format=raw,discard=unmap`,
    '-device',
    `${device},drive=disk${index},bus=scsi.0`,
  ]);
  const machine = spawn(
    'qemu-system-x86_64',
    [
      ...['-accel', 'tcg', '-m', '384', '-smp', '1', '-nodefaults', '-display', 'none', '-serial', 'stdio'],
      ...['-kernel', kernel, '-initrd', initramfs, '-append', 'console=ttyS0 quiet panic=-1 mitigations=off'],
      ...['-device', 'virtio-scsi-pci,id=scsi', ...drives],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const errors = new LastLines(machine.stderr);
  createInterface({ input: machine.stdout }).on('line', onLine);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    machine.kill('SIGKILL');
  }, seconds * 1000);
  const killed = () => void endProcess(machine, { signal: 'SIGKILL' });
  process.once('exit', killed);
  try {
    await new Promise((resolve, reject) => machine.on('error', reject).on('close', resolve));
  } finally {
    clearTimeout(timer);
    process.off('exit', killed);
  }
  if (late) return `the machine was ended after ${seconds} s\n${errors}`;
  return machine.exitCode === 0 ? undefined : `QEMU ended with ${ending(machine)}\n${errors}`;
}
