import { Code, type ConnectError } from '@connectrpc/connect';
import { rpcError } from '../errors.ts';

/** Settings of slow queries, on a service that has no database. */
export class NoDatabase extends Error {
  constructor() {
    super('this service has no database whose slow queries could be logged');
    this.name = 'NoDatabase';
  }
}

/** What callers are told of the error above; undefined for other errors. */
export function toOperationsRpcError(error: unknown, domain: string): ConnectError | undefined {
  if (!(error instanceof NoDatabase)) return undefined;
  return rpcError(Code.FailedPrecondition, { message: error.message, reason: 'NO_DATABASE', domain });
}
