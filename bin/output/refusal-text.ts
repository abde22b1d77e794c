import { Code, type ConnectError } from '@connectrpc/connect';

/** What to do about a call that failed, where that is the same for every command. */
const ADVICE: ReadonlyMap<Code, (address: string) => string> = new Map<Code, (address: string) => string>([
  [
    Code.Unauthenticated,
    () =>
      process.env['OPTIX_API_KEY']?.trim()
        ? 'check OPTIX_API_KEY'
        : 'set OPTIX_API_KEY to an API key of the service',
  ],
  [
    Code.PermissionDenied,
    () => 'use the API key of a caller that has this scope (optix callers create --scopes)',
  ],
  [Code.Unavailable, (address) => `is the service running, and at ${address} (--address, --tls)?`],
  [Code.DeadlineExceeded, (address) => `is the service at ${address} (--address, --tls) well?`],
]);

/** A service's refusal as one line, with what to do about it. Holds no secret. */
export function refusalText(error: ConnectError, address: string): string {
  const text = connectionText(error.message.replaceAll(/\s*\n\s*/g, ' '));
  // With details it comes from the service itself, which says in its own words what is away.
  const isAnswer = error.code === Code.Unavailable && error.details.length > 0;
  const advice = isAnswer ? undefined : ADVICE.get(error.code)?.(address);
  return advice === undefined ? text : `${text}: ${advice}`;
}

/** What the network said, without the layers of grpc-js around it: it tells them all, and the reason last. */
function connectionText(text: string): string {
  const [, code = '', reason] =
    /^(\[\w+\]) .*Last error: (?:Error: )?(.+?)\. Resolution note:/.exec(text) ?? [];
  return reason === undefined ? text : `${code} ${reason}`;
}
