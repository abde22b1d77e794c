import { ConnectError } from '@connectrpc/connect';
import { expect } from 'vitest';
import { BadRequestSchema, ErrorInfoSchema } from '../gen/google/rpc/error_details_pb.ts';

/** The error that a call ends with; fails the test where the call succeeds. */
export async function failure(call: Promise<unknown>): Promise<ConnectError> {
  try {
    await call;
  } catch (error) {
    expect(error).toBeInstanceOf(ConnectError);
    return error as ConnectError;
  }
  throw new Error('the call succeeded, though it should have failed');
}

/** The stable reason of an error (ErrorInfo). */
export function reasonOf(error: ConnectError): string | undefined {
  return error.findDetails(ErrorInfoSchema)[0]?.reason;
}

/** The fields that an error names (BadRequest). */
export function fieldsOf(error: ConnectError): readonly string[] {
  return error
    .findDetails(BadRequestSchema)
    .flatMap((detail) => detail.fieldViolations.map(({ field }) => field));
}
