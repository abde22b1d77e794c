import { durationFromMs } from '@bufbuild/protobuf/wkt';
import {
  ConnectError,
  type Interceptor,
  type StreamRequest,
  type StreamResponse,
  type UnaryRequest,
} from '@connectrpc/connect';
import { RetryInfoSchema } from '../../../gen/google/rpc/error_details_pb.ts';
import { connectFacts } from '../../http/connect-facts.ts';
import { type CallDenial, callDenial, callFailure } from './call-denial.ts';
import { checkRequest } from './check-request.ts';
import { LimitCheckFailed } from './limit-check-failed.ts';
import type { LimitOptions } from './limit-options.ts';

/** What a Connect server's interceptor sees of a call. */
export type ConnectRequest = UnaryRequest | StreamRequest;

/**
 * An interceptor for Connect servers that limits calls; a stream counts once, when it opens. A denial is
 * RESOURCE_EXHAUSTED (429 over HTTP) with RetryInfo, `retry-after` and the headers of the limit; UNAVAILABLE where the
 * limiter can't be asked. Calls that pass have those headers on their response.
 *
 * Connect shows interceptors no address: give its server `contextValues: remoteAddressValues`, else all callers are the
 * one `ip:unknown` to `byIp()`.
 *
 * @throws TypeError as checkRequest() does
 *
 * @example
 * const interceptor = limitCalls({ limiter, endpoint: 'orders', key: byIp() });
 * createServer(connectNodeAdapter({ routes, interceptors: [interceptor], contextValues: remoteAddressValues }));
 */
export function limitCalls(options: LimitOptions<ConnectRequest>): Interceptor {
  const check = checkRequest(options);
  return (next) => async (request) => {
    const outcome = await check(request, connectFacts(request)).catch((error: unknown) => {
      throw error instanceof LimitCheckFailed ? connectError(callFailure(error), error) : error;
    });
    if (!outcome.pass) throw connectError(callDenial(outcome));
    const { headers, ended } = outcome;
    try {
      const response = await next(request);
      for (const [name, value] of Object.entries(headers)) response.header.set(name, value);
      if (ended === undefined) return response;
      if (response.stream) return { ...response, message: untilEnd(response, request.signal, ended) };
      ended(statusOf(undefined, request.signal));
      return response;
    } catch (error) {
      ended?.(statusOf(error, request.signal));
      throw error;
    }
  };
}

function connectError({ code, message, headers, retryDelayMs }: CallDenial, cause?: unknown): ConnectError {
  const error = new ConnectError(message, code, headers, undefined, cause);
  if (retryDelayMs !== undefined) {
    error.details.push({ desc: RetryInfoSchema, value: { retryDelay: durationFromMs(retryDelayMs) } });
  }
  return error;
}

type Ended = (status: number | undefined) => void;

async function* untilEnd({ message }: StreamResponse, signal: AbortSignal, ended: Ended) {
  let failed: unknown;
  try {
    yield* message;
  } catch (error) {
    failed = error;
    throw error;
  } finally {
    ended(statusOf(failed, signal));
  }
}

/** The code a call ends with, 0 for success; undefined where its caller has left. */
function statusOf(error: unknown, signal: AbortSignal): number | undefined {
  if (signal.aborted) return undefined;
  return error === undefined ? 0 : ConnectError.from(error).code;
}
