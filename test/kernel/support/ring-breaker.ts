import { run } from './run.js';

/** A daemon at its worst: it answers the first command it finds with the id of another one, and leaves. */
const script = `
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { native } from './dist/native/addon.js';
const uio = process.argv[1];
const size = Number(readFileSync('/sys/class/uio/' + uio + '/maps/map0/size', 'utf8'));
const region = new (native().UioRegion)('/dev/' + uio, size);
const words = new Uint32Array(region.buffer);
const [ringOffset, tail] = [words[1], words[16]];
while (region.loadHead() === tail) await sleep(10);
const entry = new DataView(region.buffer, ringOffset + tail);
entry.setUint16(4, 0xfffe, true);
entry.setUint8(8, 0);
region.storeTail(region.loadHead());
region.kick();
region.close();
`;

/** Make the kernel find a ring broken (target_core_user.c, tcmu_handle_completions). Waits for a command on it. */
export async function breakRing(uio: string): Promise<void> {
  await run(process.execPath, ['--input-type=module', '-e', script, uio]);
}
