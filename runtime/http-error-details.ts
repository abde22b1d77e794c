import { Code, ConnectError, type HandlerContext } from '@connectrpc/connect';
import { rpcError } from './errors.ts';

/**
 * Gives the errors with which Connect itself ends a call (a body that can't be decoded, that is too large) the
 * details that the pipeline's errors have: ErrorInfo with reason INVALID_REQUEST or MESSAGE_TOO_LARGE, and
 * BadRequest where the field is known.
 *
 * Interceptors see unary calls only once they are decoded. But Connect aborts the call's signal with the error
 * before it writes the error down, in each of its protocols, and that is early enough.
 */
export function explainErrors(context: HandlerContext, domain: string): void {
  const { signal } = context;
  signal.addEventListener('abort', () => explain(signal.reason, domain), { once: true });
}

function explain(error: unknown, domain: string): void {
  if (!(error instanceof ConnectError) || error.isWireError || error.details.length > 0) return;
  const message = withoutValues(error.rawMessage);
  Object.assign(error, {
    rawMessage: message,
    message: error.message.replace(error.rawMessage, () => message),
  });
  // Bytes that are no message are the caller's fault, as on gRPC, whatever Connect calls it.
  if (error.code === Code.Internal && message.startsWith('parse binary')) {
    Object.assign(error, { code: Code.InvalidArgument });
  }
  if (error.code === Code.InvalidArgument) {
    const field = fieldIn(message);
    const violations = field === undefined ? undefined : [{ field, description: message }];
    const facts = { message, reason: 'INVALID_REQUEST', domain, ...(violations && { violations }) };
    error.details.push(...rpcError(error.code, facts).details);
  } else if (error.code === Code.ResourceExhausted && message.includes('readMaxBytes')) {
    error.details.push(...rpcError(error.code, { message, reason: 'MESSAGE_TOO_LARGE', domain }).details);
  }
}

/** The decoder's message without the pieces of the body that it repeats: they may be a password, and get into logs. */
function withoutValues(message: string): string {
  const [head = '', reason] = message.split(/(?<= from JSON)\b/, 2);
  if (reason === undefined) return message;
  const said =
    /^: (?:expected [^,]+?(?=,| but got)|key "[^"]+" is unknown|duplicate object key "[^"]+")/.exec(
      reason,
    )?.[0] ?? /(?<= )at position \d+(?: \(line \d+ column \d+\))?/.exec(reason)?.[0];
  if (said === undefined) return `${head}: the value does not fit`;
  return said.startsWith(':') ? `${head}${said}` : `${head}: not valid JSON ${said}`;
}

/** The field that the JSON decoder's message names. */
function fieldIn(message: string): string | undefined {
  return (
    /from JSON: key "([^"]+)" is unknown/.exec(message)?.[1] ??
    /^cannot decode field \S*?\.?(\w+) from JSON/.exec(message)?.[1]
  );
}
