// What the package offers as `optix/identity`.
// biome-ignore-all lint/performance/noBarrelFile: the entry of a package names what it offers
export type { GrpcTransportOptions } from '../grpc/grpc-transport.ts';
export type { ClientTls } from '../grpc/tls-credentials.ts';
export type { HttpFacts } from '../http/http-facts.ts';
export type { HttpAnswer } from '../http/problem.ts';
export { createIdentityClient, type IdentityClient } from './identity-client.ts';
export type { AuthenticationOptions } from './middleware/authenticate-request.ts';
export type { CallAuthenticationOptions, MethodRequirement } from './middleware/call-authentication.ts';
export type { Requirement } from './middleware/requirement.ts';
export type { RevocationsState } from './revocation-watch.ts';
export {
  KeysUnknown,
  RevocationsUnknown,
  TokenInvalid,
  type TokenInvalidReason,
  TokenRevoked,
} from './token-errors.ts';
export { createTokenVerifier, type TokenVerifier, type TokenVerifierOptions } from './token-verifier.ts';
export type { VerifiedToken } from './verified-token.ts';
