import { AsyncLocalStorage } from 'node:async_hooks';
import {
  Metadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  status,
} from '@grpc/grpc-js';
import { grpcFacts } from '../../http/grpc-facts.ts';
import type { VerifiedToken } from '../verified-token.ts';
import type { AuthenticationOutcome } from './authenticate-request.ts';
import { type CallAuthenticationOptions, callAuthenticator, refusalCode } from './call-authentication.ts';
import { descriptionOf, type Refusal, refusalHeaders } from './refusal.ts';

/** How calls of a grpc-js server are authenticated. */
export interface GrpcAuthenticationOptions extends CallAuthenticationOptions {
  /**
   * Told of what `requirementOf` or the verifier throws beside its own errors; the call ends with INTERNAL. Default: a
   * warning of the process.
   */
  readonly onError?: ((error: unknown) => void) | undefined;
}

const identities = new AsyncLocalStorage<VerifiedToken | undefined>();

/** Whose call is handled here, also behind any `await`; undefined where it is nobody's, or outside of a handler. */
export function currentIdentity(): VerifiedToken | undefined {
  return identities.getStore();
}

/**
 * An interceptor for grpc-js servers that verifies access tokens. What is not good ends with UNAUTHENTICATED,
 * PERMISSION_DENIED or UNAVAILABLE; its metadata have the challenge `www-authenticate` or `retry-after`. Handlers read
 * whose call it is by `currentIdentity()`. A stream is authenticated when it begins, and goes on when its token ends.
 *
 * Node hands on the first alone of several `authorization` headers.
 *
 * @throws TypeError for options that can't be meant so
 *
 * @example
 * const requirementOf = (path: string) => (path.startsWith('/grpc.health.v1.Health/') ? 'none' : undefined);
 * const server = new Server({ interceptors: [authenticate({ verifier, requirementOf })] });
 */
export function authenticate(options: GrpcAuthenticationOptions): ServerInterceptor {
  const { authenticate: authenticateCall, realm } = callAuthenticator(options);
  const onError = options.onError ?? ((error) => process.emitWarning(asError(error)));

  return (method, call) => {
    const admit: Admit = async (metadata, proceed) => {
      let outcome: AuthenticationOutcome;
      try {
        const { remoteAddress } = call.getConnectionInfo();
        outcome = await authenticateCall(grpcFacts(method.path, metadata, remoteAddress));
      } catch (error) {
        call.sendStatus({ code: status.INTERNAL, details: 'the call could not be authenticated' });
        onError(error);
        return;
      }
      if (outcome.refusal === undefined) proceed(outcome.identity);
      else call.sendStatus(refusalStatus(outcome.refusal, realm));
    };
    return new IdentifiedCall(call, admit);
  };
}

/** grpc-js does not export the type by its name. */
type Listener = Parameters<ServerInterceptingCallInterface['start']>[0];

/** Begins to verify the token that metadata bring; goes on with whose it is where the call passes. */
type Admit = (metadata: Metadata, proceed: (identity: VerifiedToken | undefined) => void) => Promise<void>;

/**
 * A call whose handler has the identity around everything that it is told. Messages and cancellation come of the
 * connection, which is nobody's.
 */
class IdentifiedCall extends ServerInterceptingCall {
  #identity: VerifiedToken | undefined;

  constructor(call: ServerInterceptingCallInterface, admit: Admit) {
    super(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, proceed) =>
            void admit(metadata, (identity) => {
              this.#identity = identity;
              proceed(metadata);
            }),
        }),
    });
  }

  override start(listener: Listener): void {
    super.start({
      onReceiveMetadata: (metadata) => this.#within(() => listener.onReceiveMetadata(metadata)),
      onReceiveMessage: (message) => this.#within(() => listener.onReceiveMessage(message)),
      onReceiveHalfClose: () => this.#within(() => listener.onReceiveHalfClose()),
      onCancel: () => this.#within(() => listener.onCancel()),
    });
  }

  #within(tell: () => void): void {
    identities.run(this.#identity, tell);
  }
}

function refusalStatus(refusal: Refusal, realm: string) {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(refusalHeaders(refusal, realm))) metadata.set(name, value);
  return { code: refusalCode(refusal) as number, details: descriptionOf(refusal), metadata };
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
