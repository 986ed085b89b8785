import type { z } from 'zod';
import { nearest } from '../../handlers/suggest.js';
import { failure, requestSchema, rpcError, RpcError, success, type Request } from './json-rpc.js';
import { controlMethods, type Caller } from './methods.js';
import { methods, type MethodName } from './schema.js';
import type { ControlTarget } from './target.js';

/** Requests in one batch. */
const MAX_BATCH = 64;

type Method = (params: unknown, caller: Caller) => unknown;

/** Turns the text of requests into the text of their answers. */
export class Dispatcher {
  readonly #methods: Readonly<Record<MethodName, Method>>;
  readonly #onFault: (method: string, error: unknown) => void;

  /** @param onFault told of errors that no caller brought about */
  constructor(target: ControlTarget, onFault: (method: string, error: unknown) => void) {
    this.#methods = controlMethods(target) as Record<MethodName, Method>;
    this.#onFault = onFault;
  }

  /**
   * @param message one request, or a batch of them
   * @returns the answer; undefined where there is none, as to a notification. Never rejects.
   */
  async answer(message: string, caller: Caller): Promise<string | undefined> {
    let parsed: unknown;
    try {
      parsed = JSON.parse(message);
    } catch {
      return failure(null, new RpcError(rpcError.parseError, 'this is no JSON'));
    }
    if (!Array.isArray(parsed)) return this.#answerOne(parsed, caller);
    if (parsed.length === 0 || parsed.length > MAX_BATCH) {
      const error = new RpcError(rpcError.invalidRequest, `a batch has 1 to ${MAX_BATCH} requests`);
      return failure(null, error);
    }
    const answers = await Promise.all(parsed.map((request) => this.#answerOne(request, caller)));
    const given = answers.filter((answer) => answer !== undefined);
    return given.length === 0 ? undefined : `[${given.join(',')}]`;
  }

  async #answerOne(candidate: unknown, caller: Caller): Promise<string | undefined> {
    const checked = requestSchema.safeParse(candidate);
    if (!checked.success) {
      return failure(null, new RpcError(rpcError.invalidRequest, `no request: ${describe(checked.error)}`));
    }
    const request = checked.data;
    let answer: string;
    try {
      const result = await this.#call(request, caller);
      answer = success(request.id ?? null, result);
    } catch (error) {
      answer = failure(request.id ?? null, this.#toRpcError(request.method, error));
    }
    return request.id === undefined ? undefined : answer;
  }

  #call({ method, params = {} }: Request, caller: Caller): unknown {
    if (!Object.hasOwn(methods, method)) {
      const near = nearest(method, Object.keys(methods));
      throw new RpcError(
        rpcError.methodNotFound,
        `no method '${method}'${near === undefined ? '' : `; did you mean '${near}'?`}`,
      );
    }
    const name = method as MethodName;
    if (Array.isArray(params)) {
      throw new RpcError(rpcError.invalidParams, `${name}: parameters are given by name, in an object`);
    }
    const checked = methods[name].params.safeParse(params);
    if (!checked.success) {
      throw new RpcError(rpcError.invalidParams, `${name}: ${describe(checked.error)}`);
    }
    return this.#methods[name](checked.data, caller);
  }

  #toRpcError(method: string, error: unknown): RpcError {
    if (error instanceof RpcError) return error;
    this.#onFault(method, error);
    return new RpcError(rpcError.internalError, `${method}: ${(error as Error)?.message ?? String(error)}`);
  }
}

/** Zod's first complaints in one line. */
function describe(error: z.ZodError): string {
  return error.issues
    .slice(0, 3)
    .map(({ path, message }) => (path.length === 0 ? message : `${path.join('.')}: ${message}`))
    .join('; ');
}
