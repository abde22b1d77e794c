import { Code, type ConnectError } from '@connectrpc/connect';
import { rpcError } from '../errors.ts';

/** The service has nowhere to keep keys that are made while it runs. */
export class ManagedKeysOff extends Error {
  constructor() {
    super('this service has no store to keep caller keys in');
    this.name = 'ManagedKeysOff';
  }
}

/** No key has this id. */
export class CallerKeyNotFound extends Error {
  constructor() {
    super('there is no caller key with this id');
    this.name = 'CallerKeyNotFound';
  }
}

/** A key has this id already. */
export class CallerKeyExists extends Error {
  constructor() {
    super(
      'a key was made under this request_id before; its text was told then, and only then: where it was lost, rotate or revoke the key',
    );
    this.name = 'CallerKeyExists';
  }
}

/** The key was revoked or has expired. */
export class CallerKeyEnded extends Error {
  constructor() {
    super('the caller key was revoked or has expired');
    this.name = 'CallerKeyEnded';
  }
}

/** Somebody else changed the key at the same time. */
export class CallerKeyChanged extends Error {
  constructor() {
    super('the caller key was changed by somebody else meanwhile');
    this.name = 'CallerKeyChanged';
  }
}

/** No more keys can be good at one time. */
export class TooManyCallerKeys extends Error {
  constructor(most: number) {
    super(`${most} caller keys are good already, which are as many as may`);
    this.name = 'TooManyCallerKeys';
  }
}

const KNOWN: readonly (readonly [new (...args: never[]) => Error, Code, string])[] = [
  [ManagedKeysOff, Code.FailedPrecondition, 'MANAGED_KEYS_OFF'],
  [CallerKeyNotFound, Code.NotFound, 'CALLER_KEY_NOT_FOUND'],
  [CallerKeyExists, Code.AlreadyExists, 'CALLER_KEY_EXISTS'],
  [CallerKeyEnded, Code.FailedPrecondition, 'CALLER_KEY_ENDED'],
  [CallerKeyChanged, Code.Aborted, 'CALLER_KEY_CHANGED'],
  [TooManyCallerKeys, Code.ResourceExhausted, 'TOO_MANY_CALLER_KEYS'],
];

/** What callers are told of the errors above; undefined for other errors. */
export function toCallerRpcError(error: unknown, domain: string): ConnectError | undefined {
  const [, code, reason] = KNOWN.find(([type]) => error instanceof type) ?? [];
  if (code === undefined || reason === undefined) return undefined;
  return rpcError(code, { message: (error as Error).message, reason, domain });
}
