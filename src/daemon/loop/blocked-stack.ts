import type { Session } from 'node:inspector';

/*
 * What a thread does that does not turn its event loop: V8's debugger can interrupt a loop of JavaScript, and names
 * function, file and line. Within a system call there is nothing to interrupt, and no answer comes.
 */

/** Milliseconds that the debugger has to interrupt the thread. */
const PATIENCE = 250;

const FRAMES = 8;

interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  readonly location: { readonly lineNumber: number; readonly columnNumber?: number };
}

function lines(frames: readonly CallFrame[]): string[] {
  return frames
    .slice(0, FRAMES)
    .map(
      ({ functionName, url, location }) =>
        `    at ${functionName || '<anonymous>'} (${url}:${location.lineNumber + 1}:${(location.columnNumber ?? 0) + 1})`,
    );
}

/**
 * @param ask @returns called when it is over, before the session ends
 * @returns what `ask` was told; nothing where it was told nothing in time, or cannot ask
 */
async function withSession(
  ask: (session: Session, tell: (frames: readonly CallFrame[]) => void) => () => void,
): Promise<string[]> {
  // Node can be built without it.
  const inspector = await import('node:inspector').catch(() => undefined);
  if (!inspector) return [];
  return new Promise((resolve) => {
    const session = new inspector.Session();
    let leave = (): void => undefined;
    const finish = (frames: readonly CallFrame[]): void => {
      clearTimeout(timer);
      leave();
      session.disconnect();
      resolve(lines(frames));
    };
    const timer = setTimeout(finish, PATIENCE, []);
    try {
      leave = ask(session, finish);
    } catch {
      finish([]);
    }
  });
}

/** For a thread other than the main one. @returns lines of what the main thread of this process is doing */
export function stackOfMainThread(): Promise<string[]> {
  return withSession((session, tell) => {
    session.connectToMainThread();
    session.on('Debugger.paused', ({ params }) => {
      session.post('Debugger.resume');
      tell(params.callFrames);
    });
    session.post('Debugger.enable');
    session.post('Debugger.pause');
    return () => undefined;
  });
}

interface Attached {
  readonly sessionId: string;
  /** Its title is `[worker 5] name`; its workerId is a number of the inspector's own. */
  readonly workerInfo: { readonly title: string };
}

/** For the main thread. @param threadId of a worker thread that it started @returns lines of what that is doing */
export function stackOfWorker(threadId: number): Promise<string[]> {
  return withSession((session, tell) => {
    session.connect();
    let calls = 0;
    const attached = new Set<string>();
    session.on('NodeWorker.attachedToWorker', ({ params }) => {
      const { sessionId, workerInfo } = params as unknown as Attached;
      const isWanted = /^\[[^\]]*?(\d+)\]/.exec(workerInfo.title)?.[1] === String(threadId);
      attached.add(sessionId);
      if (!isWanted) return;
      const send = (method: string): void =>
        session.post('NodeWorker.sendMessageToWorker', {
          sessionId,
          message: JSON.stringify({ id: ++calls, method }),
        });
      session.on('NodeWorker.receivedMessageFromWorker', ({ params: received }) => {
        if (received.sessionId !== sessionId) return;
        const { method, params: told } = JSON.parse(received.message) as {
          method?: string;
          params?: { callFrames: CallFrame[] };
        };
        if (method !== 'Debugger.paused' || !told) return;
        for (const last of ['Debugger.resume', 'Debugger.disable']) send(last);
        tell(told.callFrames);
      });
      send('Debugger.enable');
      send('Debugger.pause');
    });
    session.post('NodeWorker.enable', { waitForDebuggerOnStart: false });
    return () => {
      // A worker that was asked to pause, and could not yet, would pause for ever later if the session just ended.
      for (const sessionId of attached) session.post('NodeWorker.detach', { sessionId });
    };
  });
}
