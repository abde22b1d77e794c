import { toBinary } from '@bufbuild/protobuf';
import { StatusSchema } from '../../../../gen/google/rpc/status_pb.ts';
import { LimitStatusSchema } from '../../../../gen/optix/ratelimit/v1/limit_pb.ts';
import type {
  BatchCheckLimitsResponse,
  CheckLimitResponse,
  StreamCheckLimitsResponse,
  StreamCheckLimitsResponse_Item,
} from '../../../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { WireWriter } from '../../../../runtime/wire-writer.ts';

/*
 * The answers that checks are given, written to the wire field by field: a fifth of what the generic encoder takes, which
 * a stream or a batch pays for every check. Byte for byte what that one writes. A field that a contract gains must be
 * added here; a test fails until it is.
 */

/** An answer is written in one go, so all of them can share it. */
const writer = new WireWriter();

/** CheckLimitResponse in protobuf's binary form. */
export function encodeCheckLimitResponse(message: CheckLimitResponse): Buffer {
  writer.clear();
  writeDecision(message);
  return writer.finish();
}

/** BatchCheckLimitsResponse in protobuf's binary form. */
export function encodeBatchCheckLimitsResponse(message: BatchCheckLimitsResponse): Buffer {
  writer.clear();
  for (const decision of message.decisions) {
    const start = writer.begin(1);
    writeDecision(decision);
    writer.end(start);
  }
  writer.bool(2, message.allAllowed);
  writer.text(3, message.receipt);
  return writer.finish();
}

/** StreamCheckLimitsResponse in protobuf's binary form. */
export function encodeStreamCheckLimitsResponse(message: StreamCheckLimitsResponse): Buffer {
  writer.clear();
  for (const item of message.items) {
    const start = writer.begin(1);
    writeItem(item);
    writer.end(start);
  }
  return writer.finish();
}

function writeItem({ id, outcome }: StreamCheckLimitsResponse_Item): void {
  writer.uint(1, id);
  if (outcome.case === 'decision') {
    const start = writer.begin(2);
    writeDecision(outcome.value);
    writer.end(start);
  } else if (outcome.case === 'error') {
    writer.bytes(3, toBinary(StatusSchema, outcome.value));
  }
}

function writeDecision(message: CheckLimitResponse): void {
  writer.bool(1, message.allowed);
  writer.uint(2, message.limit);
  writer.uint(3, message.remaining);
  writeTime(4, message.resetTime);
  writeTime(5, message.retryAfter);
  writer.bool(6, message.bypassed);
  writer.text(7, message.rule);
  writer.text(8, message.ruleVersion);
  writeTime(9, message.window);
  writer.uint(10, message.source);
  writer.uint(11, message.algorithm);
  writer.text(12, message.limitName);
  writer.bool(13, message.shadowDenied);
  for (const status of message.limits) writer.bytes(14, toBinary(LimitStatusSchema, status));
  writer.text(15, message.receipt);
}

/** A Timestamp or a Duration, which look alike on the wire. None of ours is before 1970. */
function writeTime(
  field: number,
  value: { readonly seconds: bigint; readonly nanos: number } | undefined,
): void {
  if (value === undefined) return;
  const start = writer.begin(field);
  writer.uint(1, Number(value.seconds));
  writer.uint(2, value.nanos);
  writer.end(start);
}
