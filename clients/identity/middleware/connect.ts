import { ConnectError, createContextKey, type Interceptor } from '@connectrpc/connect';
import { connectFacts } from '../../http/connect-facts.ts';
import type { VerifiedToken } from '../verified-token.ts';
import { type CallAuthenticationOptions, callAuthenticator, refusalCode } from './call-authentication.ts';
import { descriptionOf, refusalHeaders } from './refusal.ts';

/** Whose call it is, in the context values of handlers; undefined where it is nobody's. */
export const identityKey = createContextKey<VerifiedToken | undefined>(undefined, {
  description: 'identity',
});

/**
 * An interceptor for Connect servers that verifies access tokens. What is not good ends with UNAUTHENTICATED,
 * PERMISSION_DENIED or UNAVAILABLE; its metadata have the challenge `www-authenticate` or `retry-after`. Handlers read
 * whose call it is by `context.values.get(identityKey)`. A stream is authenticated when it begins, and goes on when its
 * token ends.
 *
 * Node hands on the first alone of several `authorization` headers.
 *
 * @throws TypeError for options that can't be meant so
 *
 * @example
 * createServer(connectNodeAdapter({ routes, interceptors: [authenticate({ verifier })] }));
 */
export function authenticate(options: CallAuthenticationOptions): Interceptor {
  const authenticator = callAuthenticator(options);
  return (next) => async (request) => {
    const outcome = await authenticator.authenticate(connectFacts(request));
    const { refusal } = outcome;
    if (refusal !== undefined) {
      const headers = refusalHeaders(refusal, authenticator.realm);
      throw new ConnectError(descriptionOf(refusal), refusalCode(refusal), headers);
    }
    request.contextValues.set(identityKey, outcome.identity);
    return await next(request);
  };
}
