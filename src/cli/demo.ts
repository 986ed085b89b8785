import { randomFillSync } from 'node:crypto';
import { createHistogram, performance, type RecordableHistogram } from 'node:perf_hooks';
import { SingleBar } from 'cli-progress';
import { DiskExport } from '../daemon/disk-export.js';
import { handlerRegistry } from '../daemon/handler-registry.js';
import { iscsiName, iscsiUrl, type Portal } from '../daemon/iscsi-settings.js';
import { createLog } from '../daemon/log.js';
import { formatSize } from '../handlers/size-text.js';
import { IscsiTarget } from '../iscsi/iscsi-target.js';
import { Initiator } from '../testing/initiator.js';
import { IscsiTransport } from '../testing/iscsi-transport.js';
import { secondsOption, sizeOption } from './numbers.js';
import { plainTable } from './table.js';
import { untilSignal } from './until-signal.js';

export interface DemoOptions {
  size: string;
  amount: string;
  seconds: string;
  stay?: boolean;
}

const QUEUE_DEPTH = 32;
const STREAM_BLOCK = 64 * 1024;
const RANDOM_BLOCK = 4096;
const LOGICAL_BLOCK = 512;

/** Run `job` for 0..count-1, QUEUE_DEPTH of them at a time. */
async function atQueueDepth(count: number, job: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await job(next++);
  };
  await Promise.all(Array.from({ length: QUEUE_DEPTH }, worker));
}

/** The content that belongs at `offset`: random bytes, the same in each block but for the block's own address. */
function stamp(buffer: Uint8Array, offset: number): Uint8Array {
  const words = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  for (let at = 0; at < buffer.byteLength; at += LOGICAL_BLOCK) words.setFloat64(at, offset + at);
  return buffer;
}

function progressBar(label: string, total: number): SingleBar {
  const bar = new SingleBar({
    format: `${label} [{bar}] {percentage}% | {value}/{total} MiB | {speed} MiB/s`,
    barCompleteChar: '#',
    barIncompleteChar: '-',
    barsize: 40,
    fps: 10,
    hideCursor: true,
    // Elsewhere than on a terminal one line at the end says the same.
    noTTYOutput: true,
    notTTYSchedule: 3_600_000,
  });
  bar.start(total / 2 ** 20, 0, { speed: '0' });
  return bar;
}

async function stream(label: string, amount: number, job: (offset: number) => Promise<void>): Promise<void> {
  const bar = progressBar(label, amount);
  const start = performance.now();
  let done = 0;
  await atQueueDepth(amount / STREAM_BLOCK, async (index) => {
    await job(index * STREAM_BLOCK);
    done += STREAM_BLOCK;
    const seconds = (performance.now() - start) / 1000;
    bar.update(done / 2 ** 20, { speed: (done / 2 ** 20 / seconds).toFixed(0) });
  });
  bar.stop();
  if (!process.stdout.isTTY) console.log();
}

async function writeAndVerify(initiator: Initiator, amount: number): Promise<void> {
  const pattern = randomFillSync(new Uint8Array(STREAM_BLOCK));
  await stream('writing  ', amount, (offset) =>
    initiator.write(offset / LOGICAL_BLOCK, stamp(pattern.slice(), offset)),
  );
  await initiator.flush();
  await stream('verifying', amount, async (offset) => {
    const found = await initiator.read(offset / LOGICAL_BLOCK, STREAM_BLOCK / LOGICAL_BLOCK);
    if (Buffer.compare(found, stamp(pattern.slice(), offset)) !== 0) {
      throw new Error(`the data read at byte ${offset} is not what was written`);
    }
  });
}

/** What a run of random reads measured. */
interface Measurement {
  seconds: number;
  /** Latencies in microseconds. */
  latencies: RecordableHistogram;
  /** Reads whose latency was below 2^index microseconds, and not below half of that. */
  buckets: number[];
}

async function randomReads(initiator: Initiator, amount: number, milliseconds: number): Promise<Measurement> {
  const latencies = createHistogram();
  const buckets: number[] = [];
  const blocks = Math.floor(amount / RANDOM_BLOCK);
  const start = performance.now();
  const worker = async (): Promise<void> => {
    for (let now = performance.now(); now < start + milliseconds;) {
      const lba = Math.floor(Math.random() * blocks) * (RANDOM_BLOCK / LOGICAL_BLOCK);
      await initiator.read(lba, RANDOM_BLOCK / LOGICAL_BLOCK);
      const after = performance.now();
      const latency = Math.max(1, Math.round((after - now) * 1000));
      latencies.record(latency);
      const bucket = 32 - Math.clz32(latency);
      buckets[bucket] = (buckets[bucket] ?? 0) + 1;
      now = after;
    }
  };
  await Promise.all(Array.from({ length: QUEUE_DEPTH }, worker));
  return { seconds: (performance.now() - start) / 1000, latencies, buckets };
}

function latencyTable({ buckets, latencies }: Measurement): string {
  const rows: string[][] = [];
  buckets.forEach((count, bucket) => {
    const bar = '#'.repeat(Math.ceil((count / latencies.count) * 40));
    rows.push([`< ${2 ** bucket} µs`, String(count), bar]);
  });
  return plainTable(['LATENCY', 'READS', ''], rows);
}

async function identity(initiator: Initiator): Promise<string> {
  const inquiry = await initiator.inquiry();
  const capacity = await initiator.readCapacity();
  return plainTable(
    ['INQUIRY', ''],
    [
      ['vendor', inquiry.vendor],
      ['product', inquiry.product],
      ['revision', inquiry.revision],
      ['serial number', await initiator.serialNumber()],
      ['capacity', `${formatSize(capacity.blocks * capacity.blockSize)} (${capacity.blocks} blocks)`],
      ['block size', `${capacity.blockSize} bytes`],
      ['thin provisioned', capacity.thin ? 'yes' : 'no'],
    ],
  );
}

/** How other initiators attach the disk. */
function attachments({ host, port }: Portal, name: string): string {
  return plainTable(
    ['ATTACH IT WITH', ''],
    [
      ['QEMU', `qemu-system-x86_64 -drive file=${iscsiUrl({ host, port }, name)},format=raw,if=virtio …`],
      ['open-iscsi', `sudo iscsiadm -m discovery -t sendtargets -p ${host}:${port}`],
      ['', `sudo iscsiadm -m node -T ${name} -p ${host}:${port} --login`],
    ],
  );
}

async function checkAndMeasure(initiator: Initiator, amount: number, milliseconds: number): Promise<void> {
  console.log(`${await identity(initiator)}\n`);
  await writeAndVerify(initiator, amount);
  const measured = await randomReads(initiator, amount, milliseconds);
  const { latencies, seconds } = measured;
  console.log(
    `\nrandom reads of 4 KiB, ${QUEUE_DEPTH} at a time: ${Math.round(latencies.count / seconds)} IOPS`,
  );
  console.log(
    `latency: median ${latencies.percentile(50)} µs, 99 % below ${latencies.percentile(99)} µs, worst ${latencies.max} µs\n`,
  );
  console.log(latencyTable(measured));
  console.log(`\n${formatSize(amount)} written and verified: no difference.`);
}

/** `lunette demo`: a disk over iSCSI on this machine, and an initiator that checks and measures it. */
export async function demo(options: DemoOptions): Promise<void> {
  const size = sizeOption('--size', options.size);
  const amount = sizeOption('--amount', options.amount);
  const milliseconds = secondsOption('--seconds', options.seconds);
  if (amount === 0 || amount > size || amount % STREAM_BLOCK !== 0) {
    throw new Error(`--amount: must be a multiple of 64K, at most the disk's size (--size ${options.size})`);
  }

  const log = createLog('warn');
  const registry = await handlerRegistry();
  const opened = await DiskExport.open({
    definition: 'memory',
    registry,
    log,
    size,
    blockSize: LOGICAL_BLOCK,
  });
  const target = await IscsiTarget.start({ portals: [{ host: '127.0.0.1', port: 0 }], log });
  try {
    const name = iscsiName('demo');
    const [url] = opened.offer(target, name);
    const [portal] = target.addresses;
    console.log(`A ${formatSize(size)} disk in memory, on an iSCSI target without root or kernel module:\n`);
    console.log(`${url}\n`);
    console.log(`${attachments(portal, name)}\n`);
    const transport = await IscsiTransport.connect({ ...portal, target: name });
    await checkAndMeasure(new Initiator(transport), amount, milliseconds);
    await transport.close();
    if (options.stay) {
      console.log('\nServing until ^C.');
      await untilSignal(() => undefined);
    }
  } finally {
    await target.close();
    await opened.close();
  }
}
