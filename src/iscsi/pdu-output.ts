// HOT PATH: PDUs of one turn leave in one system call.
import type { Socket } from 'node:net';
import type { BufferPool } from './buffer-pool.js';

/** What leaves a connection. PDUs are queued, and sent by flush(). */
export class PduOutput {
  readonly #socket: Socket;
  readonly #pool: BufferPool;
  readonly #written: (charge: number) => void;
  #queue: Buffer[] = [];
  #pooled: Buffer[] = [];
  #charge = 0;
  #scheduled = false;

  /** @param written told of memory that was sent: what push() was given as `charge` */
  constructor(socket: Socket, pool: BufferPool, written: (charge: number) => void) {
    this.#socket = socket;
    this.#pool = pool;
    this.#written = written;
  }

  /** Bytes that the peer has not taken yet. */
  get backlog(): number {
    return this.#socket.writableLength;
  }

  /**
   * @param pooled goes back to the pool when it was sent
   * @param charge bytes, for `written`
   */
  push(pdu: Buffer, pooled?: Buffer, charge = 0): void {
    this.#queue.push(pdu);
    if (pooled) this.#pooled.push(pooled);
    this.#charge += charge;
  }

  /** Flush when what is at hand is done. For answers that come outside of a turn of reading. */
  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#flushScheduled);
  }

  readonly #flushScheduled = (): void => {
    this.#scheduled = false;
    this.flush();
  };

  flush(): void {
    const queue = this.#queue;
    if (queue.length === 0) return;
    const pooled = this.#pooled;
    const charge = this.#charge;
    this.#queue = [];
    this.#charge = 0;
    const socket = this.#socket;
    if (socket.destroyed || socket.writableEnded) {
      this.#pooled = [];
      return;
    }
    const last = queue.length - 1;
    if (last > 0) socket.cork();
    for (let index = 0; index < last; index++) socket.write(queue[index]);
    if (pooled.length === 0 && charge === 0) {
      socket.write(queue[last]);
    } else {
      this.#pooled = [];
      socket.write(queue[last], (error) => {
        // After an error the kernel is done with the buffers all the same.
        for (const buffer of pooled) this.#pool.release(buffer);
        if (!error && charge > 0) this.#written(charge);
      });
    }
    if (last > 0) socket.uncork();
  }
}
