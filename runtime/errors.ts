import { create } from '@bufbuild/protobuf';
import { durationFromMs } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError } from '@connectrpc/connect';
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RequestInfoSchema,
  RetryInfoSchema,
} from '../gen/google/rpc/error_details_pb.ts';

/** What is wrong with one field of a request. */
export interface FieldViolation {
  /** Path as in the .proto file, for example `device.ip_address`. */
  readonly field: string;
  /** For a developer; never repeats a secret value. */
  readonly description: string;
}

/** A request that breaks the bounds of its fields. Becomes INVALID_ARGUMENT with a BadRequest detail. */
export class InvalidRequest extends Error {
  readonly violations: readonly FieldViolation[];

  constructor(violations: readonly FieldViolation[]) {
    super(violations.map(({ field, description }) => `${field} ${description}`).join('; '));
    this.name = 'InvalidRequest';
    this.violations = violations;
  }
}

/** What a caller is told about a failed call, beside the code. */
export interface ErrorFacts {
  /** For a developer, in English. Nothing internal. */
  readonly message: string;
  /** Stable, UPPER_SNAKE_CASE: what programs branch on (ErrorInfo.reason, https://google.aip.dev/193). */
  readonly reason: string;
  /** The service that defines the reason, for example `identity.optix`. */
  readonly domain: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly violations?: readonly FieldViolation[];
  /** Least time to wait before trying again, in milliseconds (RetryInfo). */
  readonly retryAfterMs?: number;
  /** Id under which the log has the call (RequestInfo). */
  readonly requestId?: string;
  readonly cause?: unknown;
}

/** An RPC error with Google's standard details, the same on every transport. */
export function rpcError(code: Code, facts: ErrorFacts): ConnectError {
  // The transports percent-encode the message, which half a surrogate pair makes impossible.
  const message = facts.message.toWellFormed();
  const error = new ConnectError(message, code, undefined, undefined, facts.cause);
  error.details.push({
    desc: ErrorInfoSchema,
    value: create(ErrorInfoSchema, {
      reason: facts.reason,
      domain: facts.domain,
      metadata: { ...facts.metadata },
    }),
  });
  if (facts.violations !== undefined) {
    const fieldViolations = facts.violations.map(({ field, description }) => ({ field, description }));
    error.details.push({ desc: BadRequestSchema, value: { fieldViolations } });
  }
  if (facts.retryAfterMs !== undefined) {
    const retryDelay = durationFromMs(Math.ceil(facts.retryAfterMs));
    error.details.push({ desc: RetryInfoSchema, value: { retryDelay } });
    // What HTTP clients look at (RFC 9110 section 10.2.3); on gRPC it is a trailer that does no harm.
    error.metadata.set('retry-after', String(Math.max(1, Math.ceil(facts.retryAfterMs / 1000))));
  }
  if (facts.requestId !== undefined) {
    error.details.push({ desc: RequestInfoSchema, value: { requestId: facts.requestId } });
  }
  return error;
}

/** The call was given up by its caller or ran out of time. */
export function isAbort(error: unknown, signal: AbortSignal): boolean {
  return (
    signal.aborted && (error === signal.reason || (error instanceof Error && error.name === 'AbortError'))
  );
}

/** What to tell the caller of a call whose signal was aborted. */
export function abortError(reason: unknown): ConnectError {
  return reason instanceof ConnectError ? reason : new ConnectError('the call was canceled', Code.Canceled);
}
