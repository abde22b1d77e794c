import type { DescMethod } from '@bufbuild/protobuf';
import { Code, ConnectError, type HandlerContext } from '@connectrpc/connect';
import { codeToString } from '@connectrpc/connect/protocol-connect';
import { Call } from './call.ts';
import { callEnd, callerOf, peerAddress, reachedHandlerKey, setCaller } from './call-context.ts';
import type { AccessControl, Guard } from './callers/access-control.ts';
import { OpenStreams } from './callers/open-streams.ts';
import { endedBy } from './ended-by.ts';
import { abortError, InvalidRequest, isAbort, rpcError } from './errors.ts';
import { GrpcContext } from './grpc-context.ts';
import { InFlight } from './in-flight.ts';
import type { Logger } from './logger.ts';
import type { RpcMetrics } from './metrics/rpc-metrics.ts';
import {
  answersStream,
  asksStream,
  handlerOf,
  methodName,
  type ServiceTable,
  type StreamHandler,
  type UnaryHandler,
} from './service-table.ts';
import { itemErrorKey, StreamContext } from './stream-context.ts';
import { untilAborted } from './until-aborted.ts';
import { enforce, type RequestRules } from './validation.ts';

/** Stands in for a request message whose bytes could not be decoded. */
export const UNDECODABLE = Symbol('undecodable request');

/** Which calls are written to the access log. */
export type AccessLog = 'all' | 'errors' | 'off';

/** What a service's calls have in common. */
export interface PipelineOptions {
  /** The service in error details, for example `identity.optix`. */
  readonly domain: string;
  readonly logger: Logger;
  readonly accessLog: AccessLog;
  /** Who may use which RPC; undefined lets everybody use them all. */
  readonly access: AccessControl | undefined;
  readonly rules: readonly RequestRules[];
  /** Translates the service's own errors; undefined for errors it doesn't know. */
  readonly mapError: (error: unknown) => ConnectError | undefined;
  /** Where calls are counted and timed. */
  readonly metrics?: RpcMetrics;
  /** Where calls are counted together with what else a shutdown waits for. Default: by themselves. */
  readonly inFlight?: InFlight;
}

/**
 * What every call that reaches a handler goes through, on either transport, from the outside in:
 *
 * 1. the access log, so that it has what happens further in, refusals too;
 * 2. error mapping, so that nothing internal gets past it;
 * 3. caller authentication and the policy, before the handler or the rules see anything of the request;
 * 4. validation, so that handlers see only what is within bounds;
 * 5. the handler.
 *
 * One wrapper does all of it, instead of a chain of closures, because a check is asked for once per request of
 * somebody else and each layer would cost it. What a transport refuses by itself (an unknown method, a message above
 * the size limit) never gets here.
 */
export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #guards = new Map<string, Guard>();
  readonly #openStreams = new OpenStreams();
  readonly #rules: ReadonlyMap<string, RequestRules>;
  readonly #shutdown = new AbortController();
  readonly #inFlight: InFlight;

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.#inFlight = options.inFlight ?? new InFlight();
    this.#rules = new Map(options.rules.map((rules) => [rules.typeName, rules]));
  }

  /** Calls that have begun and not ended. */
  get inFlight(): number {
    return this.#inFlight.count;
  }

  /** The same table with every handler behind the pipeline. */
  wrap(table: ServiceTable): ServiceTable {
    const handlers: Record<string, UnaryHandler | StreamHandler> = {};
    for (const method of table.service.methods) {
      const handler = handlerOf(table, method);
      handlers[method.localName] = answersStream(method)
        ? this.#stream(method, handler as StreamHandler)
        : asksStream(method)
          ? this.#requestStream(method, handler as UnaryHandler)
          : this.#unary(method, handler as UnaryHandler);
    }
    return { ...table, handlers };
  }

  /**
   * Refuses callers that are unknown or may not use the RPC, for a transport that can ask before it reads a request's
   * body. A promise only where the credential takes time to check.
   *
   * @throws ConnectError UNAUTHENTICATED, PERMISSION_DENIED; or the promise rejects with it
   */
  readonly gate = (context: HandlerContext): void | Promise<void> => {
    const caller = this.#guard(context.method)(context);
    if (caller instanceof Promise) return caller.then(() => undefined);
  };

  /**
   * Ends streams, which would go on for ever: those that only answer with UNAVAILABLE. Where the caller sends too, its
   * messages end, as if it had said so; the handler answers those it was given, and the end is its own. Unary calls go on.
   */
  endStreams(): void {
    this.#shutdown.abort(new ConnectError('the server is shutting down', Code.Unavailable));
  }

  /** Resolves once no call is in flight. */
  async idle(): Promise<void> {
    await this.#inFlight.idle();
  }

  #unary(method: DescMethod, handler: UnaryHandler): UnaryHandler {
    const admit = this.#admission(method);
    const guard = this.#guard(method);
    return (request, context) => {
      const call = this.#begin(context);
      const succeed = <R>(response: R): R => {
        this.#end(call, undefined);
        return response;
      };
      const fail = (error: unknown): never => {
        throw this.#end(call, this.#map(error, call, context.signal));
      };
      const handle = () => handler(admit(request), context);
      try {
        // Again where a gate has asked: a body can take its time, and a key be revoked meanwhile.
        const caller = guard(context);
        const response = caller instanceof Promise ? caller.then(handle) : handle();
        return response instanceof Promise ? response.then(succeed, fail) : succeed(response);
      } catch (error) {
        return fail(error);
      }
    };
  }

  /** One answer to a stream of requests, which may take long: the caller is looked at again meanwhile. */
  #requestStream(method: DescMethod, handler: UnaryHandler): UnaryHandler {
    const admit = this.#admission(method);
    const guard = this.#guard(method);
    return async (requests, outer) => {
      const call = this.#begin(outer);
      using open = this.#openStreams.open(() => guard(outer));
      const context = new StreamContext(outer, open.signal);
      let outcome: ConnectError | undefined;
      try {
        setCaller(context, await guard(outer));
        const whilePermitted = untilAborted(requests as AsyncIterable<unknown>, open.signal);
        return await handler(admit(whilePermitted), context);
      } catch (error) {
        outcome = this.#map(error, call, context.signal);
        throw outcome;
      } finally {
        this.#end(call, outcome);
      }
    };
  }

  #stream(method: DescMethod, handler: StreamHandler): StreamHandler {
    const admit = this.#admission(method);
    const guard = this.#guard(method);
    const pipeline = this;
    const shutdown = this.#shutdown.signal;
    const asks = asksStream(method);
    return async function* (given, outer) {
      const call = pipeline.#begin(outer);
      using open = pipeline.#openStreams.open(() => guard(outer));
      const ended = asks ? open.signal : AbortSignal.any([shutdown, open.signal]);
      const context = new StreamContext(outer, ended);
      const request = asks ? endedBy(given as AsyncIterable<unknown>, shutdown) : given;
      // A consumer that stops reading ends the generator without an error.
      let outcome: ConnectError | undefined = abortError(undefined);
      outer.values.set(itemErrorKey, (error) => pipeline.#map(error, call, context.signal));
      try {
        setCaller(context, await guard(outer));
        yield* handler(admit(request), context);
        open.signal.throwIfAborted();
        outcome = undefined;
      } catch (error) {
        outcome = pipeline.#map(error, call, context.signal);
        throw outcome;
      } finally {
        pipeline.#end(call, outcome);
      }
    };
  }

  /** Who may use a method. Made once: it is asked with every call. */
  #guard(method: DescMethod): Guard {
    const name = methodName(method);
    const known = this.#guards.get(name);
    if (known !== undefined) return known;
    const guard = this.#options.access?.guard(method) ?? (() => undefined);
    this.#guards.set(name, guard);
    return guard;
  }

  /** Checks what a method is asked with: the message, or each message of the stream as it comes. */
  #admission(method: DescMethod): (request: unknown) => unknown {
    const rules = this.#rules.get(method.input.typeName);
    const admitMessage = (request: unknown): unknown => {
      if (request === UNDECODABLE) {
        throw new InvalidRequest([{ field: '(message)', description: 'is not a valid protobuf message' }]);
      }
      if (rules !== undefined) enforce(rules, request);
      return request;
    };
    if (!asksStream(method)) return admitMessage;
    return async function* (requests: unknown) {
      for await (const request of requests as AsyncIterable<unknown>) yield admitMessage(request);
    };
  }

  #begin(context: HandlerContext): Call {
    this.#inFlight.begin();
    const call = new Call(context, performance.now());
    if (!(context instanceof GrpcContext)) {
      context.values.get(reachedHandlerKey)?.();
      context.responseHeader.set('x-request-id', call.requestId);
    } else if (call.givenId !== undefined) {
      // Headers of their own cost a gRPC call too much to send them to those who did not ask.
      context.responseHeader.set('x-request-id', call.givenId);
    }
    return call;
  }

  #map(error: unknown, call: Call, signal: AbortSignal): ConnectError {
    if (error instanceof InvalidRequest) {
      return rpcError(Code.InvalidArgument, {
        message: error.message,
        reason: 'INVALID_REQUEST',
        domain: this.#options.domain,
        violations: error.violations,
      });
    }
    const mapped = this.#options.mapError(error);
    if (mapped !== undefined) return mapped;
    // An error off the wire is another service's: it must not pass for ours.
    if (error instanceof ConnectError && !error.isWireError) return error;
    if (isAbort(error, signal)) return abortError(signal.reason);
    const { requestId } = call;
    this.#options.logger.error(
      { err: error, rpc: methodName(call.context.method), request_id: requestId },
      'unexpected error',
    );
    return rpcError(Code.Internal, {
      message: `internal error; the server's log has it under request id ${requestId}`,
      reason: 'INTERNAL',
      domain: this.#options.domain,
      requestId,
    });
  }

  /** Counts the call out and tells of it; answers the error it was given. */
  #end(call: Call, error: ConnectError | undefined): ConnectError | undefined {
    this.#inFlight.end();
    const { accessLog, logger, metrics } = this.#options;
    const { context } = call;
    // A handler may finish what its caller no longer waits for.
    const outcome = error ?? callEnd(context);
    const durationMs = performance.now() - call.started;
    metrics?.ended(context.method, outcome?.code, durationMs / 1000);
    if (accessLog === 'all' || (accessLog === 'errors' && outcome !== undefined)) {
      const entry = {
        rpc: methodName(context.method),
        protocol: context.protocolName,
        code: outcome === undefined ? 'ok' : codeToString(outcome.code),
        duration_ms: Math.round(durationMs * 1000) / 1000,
        request_id: call.requestId,
        peer: peerAddress(context),
        caller: callerOf(context)?.name,
      };
      logger.info(outcome === undefined ? entry : { ...entry, error: outcome.rawMessage }, 'call');
    }
    return error;
  }
}
