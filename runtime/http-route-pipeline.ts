import { Code, ConnectError } from '@connectrpc/connect';
import { codeToString } from '@connectrpc/connect/protocol-connect';
import type { HttpAnswer } from '../clients/http/problem.ts';
import { plainAddress } from './call-context.ts';
import type { AccessControl } from './callers/access-control.ts';
import type { Caller } from './callers/caller.ts';
import { rpcError } from './errors.ts';
import type { GuardedRoute, RouteHandler, RouteRequest } from './http-route.ts';
import type { InFlight } from './in-flight.ts';
import type { Logger } from './logger.ts';
import type { RpcMetrics } from './metrics/rpc-metrics.ts';
import type { AccessLog } from './pipeline.ts';
import { givenRequestId, newRequestId } from './request-id.ts';

export interface RoutePipelineOptions {
  /** The service in error details, for example `identity.optix`. */
  readonly domain: string;
  readonly logger: Logger;
  readonly accessLog: AccessLog;
  /** Undefined lets everybody in. */
  readonly access: AccessControl | undefined;
  /** Translates the service's own errors; undefined for errors it doesn't know. */
  readonly mapError: (error: unknown) => ConnectError | undefined;
  /** Where requests are counted and timed. */
  readonly metrics?: RpcMetrics;
  /** Where requests are counted together with calls. */
  readonly inFlight: InFlight;
}

/**
 * What every request to a guarded route goes through, from the outside in, as a call does in Pipeline: the access log, error
 * mapping, caller authentication and the policy, the route.
 */
export class RoutePipeline {
  readonly #options: RoutePipelineOptions;

  constructor(options: RoutePipelineOptions) {
    this.#options = options;
  }

  /** The route behind the pipeline. */
  wrap(route: GuardedRoute): RouteHandler {
    const guard =
      this.#options.access?.routeGuard(route.policyEntry, route.credentialHeader) ?? (() => undefined);
    return async (request) => {
      this.#options.inFlight.begin();
      const started = performance.now();
      const requestId = requestIdOf(request);
      let caller: Caller | undefined;
      let error: ConnectError | undefined;
      let answer: HttpAnswer;
      try {
        await guard(request, (known) => {
          caller = known;
        });
        answer = await route.answer(request);
      } catch (thrown) {
        error = this.#map(thrown, route, requestId, request.signal);
        answer = route.refuse(error);
      } finally {
        this.#options.inFlight.end();
      }
      this.#tell(route, request, answer, { started, requestId, caller, error });
      return { ...answer, headers: { ...answer.headers, 'x-request-id': requestId } };
    };
  }

  #map(error: unknown, route: GuardedRoute, requestId: string, signal: AbortSignal): ConnectError {
    const mapped = this.#options.mapError(error);
    if (mapped !== undefined) return mapped;
    // An error off the wire is another service's: it must not pass for ours.
    if (error instanceof ConnectError && !error.isWireError) return error;
    if (signal.aborted) return new ConnectError('the peer is gone', Code.Canceled);
    const { logger, domain } = this.#options;
    logger.error({ err: error, rpc: route.policyEntry, request_id: requestId }, 'unexpected error');
    return rpcError(Code.Internal, {
      message: `internal error; the server's log has it under request id ${requestId}`,
      reason: 'INTERNAL',
      domain,
      requestId,
    });
  }

  #tell(
    { policyEntry }: GuardedRoute,
    { peerAddress, signal }: RouteRequest,
    { status }: HttpAnswer,
    call: {
      readonly started: number;
      readonly requestId: string;
      readonly caller: Caller | undefined;
      readonly error: ConnectError | undefined;
    },
  ): void {
    const { accessLog, logger, metrics } = this.#options;
    const code = call.error?.code ?? (signal.aborted ? Code.Canceled : undefined);
    const durationMs = performance.now() - call.started;
    metrics?.routeEnded(policyEntry, code, durationMs / 1000);
    if (accessLog === 'off' || (accessLog === 'errors' && call.error === undefined)) return;
    const entry = {
      rpc: policyEntry,
      protocol: 'http',
      code: code === undefined ? 'ok' : codeToString(code),
      status,
      duration_ms: Math.round(durationMs * 1000) / 1000,
      request_id: call.requestId,
      peer: plainAddress(peerAddress),
      caller: call.caller?.name,
    };
    logger.info(call.error === undefined ? entry : { ...entry, error: call.error.rawMessage }, 'call');
  }
}

/** The id that came with the request, if it is plain text of 1 to 128 characters, or one of our own. */
function requestIdOf(request: RouteRequest): string {
  const [id, second] = request.header('x-request-id');
  return (second === undefined ? givenRequestId(id) : undefined) ?? newRequestId();
}
