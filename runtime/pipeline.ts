import { randomUUID } from 'node:crypto';
import type { DescMethod } from '@bufbuild/protobuf';
import { Code, ConnectError, type HandlerContext } from '@connectrpc/connect';
import { codeToString } from '@connectrpc/connect/protocol-connect';
import { peerAddress, reachedHandlerKey, requestHeader } from './call-context.ts';
import type { Caller, CallerKeys } from './caller-auth.ts';
import { abortError, InvalidRequest, isAbort, rpcError } from './errors.ts';
import { GrpcContext } from './grpc-context.ts';
import type { Logger } from './logger.ts';
import {
  answersStream,
  asksStream,
  handlerOf,
  methodName,
  type ServiceTable,
  type StreamHandler,
  type UnaryHandler,
} from './service-table.ts';
import { StreamContext } from './stream-context.ts';
import { enforce, type RequestRules } from './validation.ts';

/** Stands in for a request message whose bytes could not be decoded. */
export class UndecodableRequest {
  readonly cause: unknown;

  constructor(cause: unknown) {
    this.cause = cause;
  }
}

/** Which calls are written to the access log. */
export type AccessLog = 'all' | 'errors' | 'off';

/** What a service's calls have in common. */
export interface PipelineOptions {
  /** The service in error details, for example `identity.optix`. */
  readonly domain: string;
  readonly logger: Logger;
  readonly accessLog: AccessLog;
  /** The callers that are let in; undefined lets everybody in. */
  readonly callerKeys: CallerKeys | undefined;
  readonly rules: readonly RequestRules[];
  /** Translates the service's own errors; undefined for errors it doesn't know. */
  readonly mapError: (error: unknown) => ConnectError | undefined;
}

const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

/**
 * What every call goes through, on either transport, from the outside in:
 *
 * 1. the access log, so that it has everything that happens further in, refusals too;
 * 2. error mapping, so that nothing internal gets past it;
 * 3. caller authentication, before anything of the request is looked at;
 * 4. validation, so that handlers see only what is within bounds;
 * 5. the handler.
 *
 * One wrapper does all of it, instead of a chain of closures, because a check is asked for once per request of
 * somebody else and each layer would cost it.
 */
export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #rules: ReadonlyMap<string, RequestRules>;
  readonly #shutdown = new AbortController();
  #inFlight = 0;
  #onIdle: (() => void) | undefined;

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.#rules = new Map(options.rules.map((rules) => [rules.typeName, rules]));
  }

  /** The same table with every handler behind the pipeline. */
  wrap(table: ServiceTable): ServiceTable {
    const handlers: Record<string, UnaryHandler | StreamHandler> = {};
    for (const method of table.service.methods) {
      const handler = handlerOf(table, method);
      handlers[method.localName] = answersStream(method)
        ? this.#stream(method, handler as StreamHandler)
        : this.#unary(method, handler as UnaryHandler);
    }
    return { service: table.service, handlers };
  }

  /** Ends streams, which would go on for ever, with UNAVAILABLE. Unary calls go on. */
  endStreams(): void {
    this.#shutdown.abort(new ConnectError('the server is shutting down', Code.Unavailable));
  }

  /** Resolves once no call is in flight. */
  async idle(): Promise<void> {
    if (this.#inFlight === 0) return;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
  }

  #unary(method: DescMethod, handler: UnaryHandler): UnaryHandler {
    const rules = this.#rules.get(method.input.typeName);
    return (request, context) => {
      const started = performance.now();
      let caller: Caller | undefined;
      const succeed = <R>(response: R): R => {
        this.#finish(method, context, started, caller, undefined);
        return response;
      };
      const fail = (error: unknown): never => {
        throw this.#finish(method, context, started, caller, this.#map(error, context));
      };
      this.#begin(context);
      try {
        caller = this.#authenticate(context);
        const admitted = asksStream(method)
          ? validated(request as AsyncIterable<unknown>, rules)
          : admit(request, rules);
        const response = handler(admitted, context);
        return response instanceof Promise ? response.then(succeed, fail) : succeed(response);
      } catch (error) {
        return fail(error);
      }
    };
  }

  #stream(method: DescMethod, handler: StreamHandler): StreamHandler {
    const rules = this.#rules.get(method.input.typeName);
    const pipeline = this;
    return async function* (request, outer) {
      const started = performance.now();
      const context = new StreamContext(outer, pipeline.#shutdown.signal);
      let caller: Caller | undefined;
      // A consumer that stops reading ends the generator without an error.
      let outcome: ConnectError | undefined = abortError(undefined);
      pipeline.#begin(outer);
      try {
        caller = pipeline.#authenticate(outer);
        const admitted = asksStream(method)
          ? validated(request as AsyncIterable<unknown>, rules)
          : admit(request, rules);
        yield* handler(admitted, context);
        outcome = undefined;
      } catch (error) {
        outcome = pipeline.#map(error, context);
        throw outcome;
      } finally {
        pipeline.#finish(method, outer, started, caller, outcome);
      }
    };
  }

  #begin(context: HandlerContext): void {
    this.#inFlight += 1;
    if (context instanceof GrpcContext) return;
    context.values.get(reachedHandlerKey)?.();
    const requestId = givenRequestId(context);
    if (requestId !== undefined) context.responseHeader.set('x-request-id', requestId);
  }

  #authenticate(context: HandlerContext): Caller | undefined {
    const keys = this.#options.callerKeys;
    if (keys === undefined) return undefined;
    const caller = keys.authenticate(requestHeader(context, 'authorization'));
    if (caller !== undefined) return caller;
    throw rpcError(Code.Unauthenticated, {
      message: 'the call needs the API key of a known caller: authorization: Bearer <key>',
      reason: 'CALLER_UNAUTHENTICATED',
      domain: this.#options.domain,
    });
  }

  #map(error: unknown, context: HandlerContext): ConnectError {
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
    if (isAbort(error, context.signal)) return abortError(context.signal.reason);
    const requestId = givenRequestId(context) ?? randomUUID();
    this.#options.logger.error(
      { err: error, rpc: methodName(context.method), request_id: requestId },
      'unexpected error',
    );
    return rpcError(Code.Internal, {
      message: `internal error; the server's log has it under request id ${requestId}`,
      reason: 'INTERNAL',
      domain: this.#options.domain,
      requestId,
    });
  }

  /** Counts the call out and logs it; answers the error it was given. */
  #finish(
    method: DescMethod,
    context: HandlerContext,
    started: number,
    caller: Caller | undefined,
    error: ConnectError | undefined,
  ): ConnectError | undefined {
    this.#inFlight -= 1;
    if (this.#inFlight === 0) this.#onIdle?.();
    const { accessLog, logger } = this.#options;
    if (accessLog === 'all' || (accessLog === 'errors' && error !== undefined)) {
      const code = error === undefined ? 'ok' : codeToString(error.code);
      const entry = {
        rpc: methodName(method),
        protocol: context.protocolName,
        code,
        duration_ms: Math.round((performance.now() - started) * 1000) / 1000,
        request_id: givenRequestId(context),
        peer: peerAddress(context),
        caller: caller?.name,
      };
      logger.info(error === undefined ? entry : { ...entry, error: error.rawMessage }, 'call');
    }
    return error;
  }
}

function givenRequestId(context: HandlerContext): string | undefined {
  const id = requestHeader(context, 'x-request-id');
  return id !== undefined && REQUEST_ID.test(id) ? id : undefined;
}

function admit(request: unknown, rules: RequestRules | undefined): unknown {
  if (request instanceof UndecodableRequest) {
    throw new InvalidRequest([{ field: '(message)', description: 'is not a valid protobuf message' }]);
  }
  if (rules !== undefined) enforce(rules, request);
  return request;
}

async function* validated(requests: AsyncIterable<unknown>, rules: RequestRules | undefined) {
  for await (const request of requests) yield admit(request, rules);
}
