import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';

/*
 * The one door to native/: every class and function of the addon, typed. Nothing above this file knows how
 * the binary is found or loaded. Every failing system call throws a NativeError.
 */

/** An Error as native/ throws it for a failed system call: `UioRegion.open: EBUSY ... '/dev/uio0'`. */
export interface NativeError extends Error {
  /** errno's name: `EBUSY`. */
  code: string;
  /** errno, negative, as Node's own errors have it. */
  errno: number;
  /** The system call: `open`, `mmap`, `fallocate`. */
  syscall: string;
  path?: string;
}

/** The consumer's side of a mapped TCMU region (native/uio-region.cc, or native/memory-region.cc in tests). */
export interface RegionHandle {
  /** Of the whole region: mailbox, command ring and data area; bytes. */
  readonly size: number;
  /** The first 16 MiB of the region, or all of it. Detached (byteLength 0) after close(). */
  readonly buffer: ArrayBuffer;
  /**
   * All of the region; `buffer` where that is as much. Detached after close(). Made when it is first wanted, as V8 takes
   * a mapping that large for its own memory, and collects garbage for it.
   */
  whole(): ArrayBuffer;
  /**
   * Its one element is the consumer's: the position in the command ring up to which it has fetched entries. A wake-up
   * does not call the listener while that is cmd_head. It begins as 2^32 - 1, which is none.
   */
  readonly fetched: Uint32Array;
  /** cmd_head of the mailbox, loaded with acquire semantics: a byte offset into the command ring. */
  loadHead(): number;
  /** Publish cmd_tail with release semantics. */
  storeTail(tail: number): void;
  /** Ring the doorbell: tell the producer that entries up to the tail are complete. */
  kick(): void;
  /** storeTail() and kick() in one call. */
  publish(tail: number): void;
  /**
   * Start polling in the calling thread's event loop. The pending wake-up is read off the descriptor before
   * the callback runs, so that a command which arrives during the callback wakes it again; where everything has been
   * fetched already (`fetched`) the callback does not run. Where the descriptor fails (the device was removed),
   * polling ends and the last call is given a NativeError.
   */
  onCommand(callback: () => void): void;
  /** Keep (true, the default) or no longer keep (false) the event loop alive. */
  setRef(referenced: boolean): void;
  /** Stop polling, unmap, close the descriptor. Idempotent. */
  close(): void;
}

export interface UioRegionConstructor {
  /**
   * @param path the character device, `/dev/uio3`
   * @param size bytes to map: exactly what /sys/class/uio/uioN/maps/map0/size says
   */
  new (path: string, size: number): RegionHandle;
}

/** Descriptors by which both sides of a MemoryRegion, in any threads of one process, share one region. */
export interface MemoryRegionDescriptors {
  memory: number;
  wake: number;
  doorbell: number;
  size: number;
}

/** A region of ordinary shared memory with two eventfds: UioRegion's behaviour without a kernel. */
export interface MemoryRegionHandle extends RegionHandle {
  /** Hand these to `MemoryRegion.attach` in another thread. They live as long as this handle. */
  readonly descriptors: MemoryRegionDescriptors;
  /** The producer's side: publish cmd_head with release semantics. */
  storeHead(head: number): void;
  /** The producer's side: cmd_tail with acquire semantics. */
  loadTail(): number;
  /** The producer's side: wake the consumer. */
  wake(): void;
  /** The producer's side: called in this thread's loop at each doorbell. */
  onDoorbell(callback: () => void): void;
}

export interface MemoryRegionConstructor {
  /** @param size bytes */
  new (size: number): MemoryRegionHandle;
  /** Map the same memory once more (another thread's handle); duplicates the descriptors. */
  attach(descriptors: MemoryRegionDescriptors): MemoryRegionHandle;
}

/** A generic-netlink socket, polled in the calling thread's loop. Whole datagrams in and out; no parsing. */
export interface NetlinkSocketHandle {
  /** The port id the kernel gave this socket. */
  readonly portId: number;
  /** Receive buffer in bytes, as the kernel reports it after SO_RCVBUFFORCE. */
  readonly receiveBufferSize: number;
  send(datagram: Uint8Array): void;
  /** Called for each datagram received. The array is the callee's to keep. */
  onMessage(callback: (datagram: Uint8Array) => void): void;
  /** NETLINK_ADD_MEMBERSHIP. */
  joinGroup(group: number): void;
  setRef(referenced: boolean): void;
  close(): void;
}

export interface NetlinkSocketConstructor {
  /** @param receiveBuffer bytes asked for with SO_RCVBUFFORCE (SO_RCVBUF where not allowed) */
  new (receiveBuffer: number): NetlinkSocketHandle;
}

/** Who is at the other end of a Unix socket, as the kernel noted it when the connection was made. */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** A mapped file of a fixed size: what was stored in it is there for the next process, however this one ends. */
export interface MappedFileHandle {
  /** The whole file. Detached (byteLength 0) after close(). */
  readonly buffer: ArrayBuffer;
  /** Unmap. Idempotent. */
  close(): void;
}

export interface MappedFileConstructor {
  /**
   * Open or create a file (mode 0600; a symbolic link, and a file of another user, is refused), give it that size, and map it. What it held stays,
   * as far as it fits; the rest is zeroes.
   * @param size bytes
   */
  new (path: string, size: number): MappedFileHandle;
}

export interface NativeBinding {
  MappedFile: MappedFileConstructor;
  UioRegion: UioRegionConstructor;
  MemoryRegion: MemoryRegionConstructor;
  NetlinkSocket: NetlinkSocketConstructor;
  /**
   * sd_notify(3): send `state` to $NOTIFY_SOCKET.
   * @returns false where no service manager listens
   */
  notify(state: string): boolean;
  /**
   * prctl(2) PR_SET_IO_FLUSHER for every thread of this process, and so for those they start: memory that they ask
   * for is never got by writing to a disk, which might be one that this process serves.
   * @returns false where this is not allowed (CAP_SYS_RESOURCE) or the kernel is older than 5.6
   */
  setIoFlusher(): boolean;
  /**
   * mlock2(2) with MLOCK_ONFAULT for what this process has mapped of its program and libraries: pages of theirs that are
   * in memory stay there, instead of being dropped and read again from a disk that may be one it serves. It reads
   * nothing in. The limit RLIMIT_MEMLOCK is raised where that is needed and allowed. JavaScript's heap is not locked:
   * V8 does not bear it.
   * @returns false where this is not allowed (RLIMIT_MEMLOCK, CAP_IPC_LOCK); nothing is locked then
   */
  lockMemory(): boolean;
  /**
   * prctl(2) PR_SET_PDEATHSIG: this process is killed (SIGKILL) when the thread that started it ends, whatever it
   * does at that time. A parent that is dead already is not noticed.
   */
  dieWithParent(): void;
  /**
   * INQUIRY (SPC-4 6.6, standard data) through the sg driver; blocks this thread while it waits.
   * @param path `/dev/sg0`
   * @returns undefined where no answer came in that time
   */
  inquire(path: string, milliseconds: number): { status: number; sense: Uint8Array } | undefined;
  /** SO_PEERCRED of a connected Unix socket. @param fd the socket */
  peerCredentials(fd: number): PeerCredentials;
  /** fallocate(2) with FALLOC_FL_PUNCH_HOLE|KEEP_SIZE; bytes. */
  punchHole(fd: number, offset: number, length: number): void;
  /** fallocate(2) with FALLOC_FL_ZERO_RANGE|KEEP_SIZE; bytes. */
  zeroRange(fd: number, offset: number, length: number): void;
  /** BLKDISCARD on a block device; bytes. */
  discardBlocks(fd: number, offset: number, length: number): void;
  /** BLKZEROOUT on a block device; bytes. */
  zeroBlocks(fd: number, offset: number, length: number): void;
  /** BLKGETSIZE64: the size of a block device in bytes. */
  blockDeviceSize(fd: number): number;
  /** lseek(2) with SEEK_DATA or SEEK_HOLE. @returns the offset found in bytes, or -1 for ENXIO (past the last data) */
  seek(fd: number, offset: number, whence: 'data' | 'hole'): number;
  /**
   * preadv(2)/pwritev(2) in this thread, synchronously, into any kind of buffer.
   * @returns bytes transferred, which may be fewer than asked
   */
  preadv(fd: number, buffers: Uint8Array | readonly Uint8Array[], offset: number): number;
  pwritev(fd: number, buffers: Uint8Array | readonly Uint8Array[], offset: number): number;
  /**
   * As preadv and pwritev, but only what takes no waiting for a device (RWF_NOWAIT of preadv2(2)).
   * @returns bytes transferred, which may be fewer than asked; WOULD_WAIT, or CANNOT_TELL where the file system does
   * not say
   */
  preadNow(fd: number, buffers: Uint8Array | readonly Uint8Array[], offset: number): number;
  pwriteNow(fd: number, buffers: Uint8Array | readonly Uint8Array[], offset: number): number;
  /** An ArrayBuffer whose first byte is aligned (O_DIRECT). @param size bytes @param alignment bytes, a power of two */
  alignedBuffer(size: number, alignment: number): ArrayBuffer;
  /** The monotonic clock: read() puts it into `time`, one double, in milliseconds since some time in the past. */
  openClock(): { readonly time: ArrayBuffer; readonly read: () => void };
  /**
   * What setImmediate() does, without the garbage: each call of the function it returns has `callback` called in a later
   * turn of this thread's event loop, after a look at everything else that is ready; several calls may come to one. It
   * does not keep the loop alive, and lives as long as the thread.
   */
  openTurn(callback: () => void): () => void;
  /**
   * Anonymous memory of its own: zeroes, aligned to 2 MiB, and taken from the machine page by page as it is written.
   */
  pageMemory(size: number): ArrayBuffer;
  /** Fill `buffer` with what `memory` has from `offset` on, bytes. Cheaper than a view of every place that is read. */
  readonly readPages: (memory: ArrayBuffer, offset: number, buffer: Uint8Array) => void;
  /**
   * Have the kernel copy the memory into huge pages (madvise(2) MADV_COLLAPSE, Linux 6.1), in one of libuv's threads.
   * It may be used meanwhile. Never rejects.
   * @returns whether there are any
   */
  collapsePages(memory: ArrayBuffer): Promise<boolean>;
  /**
   * Give pages of pageMemory() back to the machine: they read as zeroes again.
   * @param offset and length bytes, multiples of 4096
   */
  dropPages(memory: ArrayBuffer, offset: number, length: number): void;
}

/** Of preadNow and pwriteNow (native/file-io.cc). */
export const WOULD_WAIT = -1;
export const CANNOT_TELL = -2;

/** Where it was found, for the threads that this one starts: to look for it takes as long as to load it. */
const PATH = 'lunette: path of the addon';

let loaded: NativeBinding | undefined;

/** The addon, loaded at first use: src/scsi and the emulator work where it cannot be built. */
export function native(): NativeBinding {
  if (loaded === undefined) {
    const require = createRequire(import.meta.url);
    let path = getEnvironmentData(PATH) as string | undefined;
    if (path === undefined) {
      const found = require('node-gyp-build') as { resolve(directory: string): string };
      path = found.resolve(fileURLToPath(new URL('../../', import.meta.url)));
      setEnvironmentData(PATH, path);
    }
    loaded = require(path) as NativeBinding;
  }
  return loaded;
}
