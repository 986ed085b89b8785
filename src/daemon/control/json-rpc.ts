/* JSON-RPC 2.0 (jsonrpc.org/specification), one message a line. No import but zod: clients load this file too. */
import * as z from 'zod';

/** Error codes of JSON-RPC 2.0 (5.1). */
export const rpcError = {
  parseError: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internalError: -32603,
} as const;

/** What is answered to a request that failed. */
export class RpcError extends Error {
  override readonly name = 'RpcError';

  constructor(
    /** One of `rpcError` or `controlError`. */
    readonly code: number,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

const id = z.union([z.string().max(256), z.number(), z.null()]);
export type RequestId = z.output<typeof id>;

export const requestSchema = z.object({
  jsonrpc: z.literal('2.0'),
  method: z.string().max(256),
  params: z.union([z.record(z.string(), z.unknown()), z.array(z.unknown())]).optional(),
  /** Without one it is a notification: nothing is answered. */
  id: id.optional(),
});
export type Request = z.output<typeof requestSchema>;

export const responseSchema = z.union([
  z.object({ jsonrpc: z.literal('2.0'), id, result: z.unknown() }),
  z.object({
    jsonrpc: z.literal('2.0'),
    id,
    error: z.object({ code: z.number(), message: z.string() }),
  }),
]);
export type Response = z.output<typeof responseSchema>;

export function success(requestId: RequestId, result: unknown): string {
  return JSON.stringify({ jsonrpc: '2.0', id: requestId, result });
}

export function failure(requestId: RequestId, { code, message }: RpcError): string {
  return JSON.stringify({ jsonrpc: '2.0', id: requestId, error: { code, message } });
}

export function notification(method: string, params: unknown): string {
  return JSON.stringify({ jsonrpc: '2.0', method, params });
}
