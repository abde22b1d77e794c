import {
  type Metadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
} from '@grpc/grpc-js';
import { grpcFacts } from '../../http/grpc-facts.ts';
import { callDenial, callFailure } from './call-denial.ts';
import { checkRequest, type Passed, type Refused } from './check-request.ts';
import { grpcStatus } from './grpc-status.ts';
import type { LimitOptions } from './limit-options.ts';

/** What a grpc-js interceptor sees of a call when it opens. */
export interface GrpcRequest {
  /** `/<package>.<Service>/<Method>` */
  readonly path: string;
  /** What the caller sent. */
  readonly metadata: Metadata;
  readonly call: ServerInterceptingCallInterface;
}

/** What a grpc-js server's interceptor limits, and how. */
export interface GrpcLimitOptions extends LimitOptions<GrpcRequest> {
  /**
   * Told what the limiter or a function among the options threw: the call ends with UNAVAILABLE where the limiter can't
   * be reached, else with INTERNAL. Default: a warning of the process.
   */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/**
 * An interceptor for grpc-js servers that limits calls; a stream counts once, when it opens. A denial is
 * RESOURCE_EXHAUSTED with RetryInfo, `retry-after` and the headers of the limit in its trailers; UNAVAILABLE where the
 * limiter can't be asked. Calls that pass have those headers in their initial metadata.
 *
 * Of several interceptors the first in the list is asked first: one that authenticates stands before this.
 *
 * @throws TypeError as checkRequest() does
 *
 * @example
 * const interceptor = limitCalls({ limiter, endpoint: ({ path }) => path.slice(1), key: byIp() });
 * const server = new Server({ interceptors: [interceptor] });
 */
export function limitCalls(options: GrpcLimitOptions): ServerInterceptor {
  const check = checkRequest(options);
  const { onError = warn } = options;
  return ({ path }, call) => {
    let headers: Passed['headers'] = {};
    let ended: Passed['ended'];
    let left = false;
    const decided = (outcome: Passed | Refused, goOn: () => void) => {
      if (!outcome.pass) {
        call.sendStatus(grpcStatus(callDenial(outcome)));
        return;
      }
      ({ headers, ended } = outcome);
      if (left) ended?.(undefined);
      else goOn();
    };
    const failed = (error: unknown) => {
      call.sendStatus(grpcStatus(callFailure(error)));
      onError(error);
    };
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata(metadata, proceed) {
            const facts = grpcFacts(path, metadata, call.getConnectionInfo().remoteAddress);
            check({ path, metadata, call }, facts).then(
              (outcome) => decided(outcome, () => proceed(metadata)),
              failed,
            );
          },
          onCancel() {
            left = true;
            ended?.(undefined);
          },
        }),
      sendMetadata(metadata, next) {
        for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
        next(metadata);
      },
      sendStatus(status, next) {
        ended?.(status.code);
        next(status);
      },
    });
  };
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : String(error));
}
