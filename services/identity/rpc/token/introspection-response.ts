import { create, toBinary } from '@bufbuild/protobuf';
import {
  type BatchIntrospectTokensResponse,
  type IntrospectTokenResponse,
  IntrospectTokenResponseSchema,
} from '../../../../gen/optix/identity/v1/token_service_pb.ts';
import { WireWriter } from '../../../../runtime/wire-writer.ts';
import type { Introspection } from '../../domain/introspect.ts';
import type { LiveState } from '../../domain/session-state.ts';

/*
 * The answers to introspections. As long as neither the token nor its state changes the answer is the same one: it is
 * built and encoded once. Building and encoding it each time would cost more than all the rest.
 */

const INACTIVE = create(IntrospectTokenResponseSchema, { active: false });

/** By the state, which was found for one token only. */
const answers = new WeakMap<LiveState, IntrospectTokenResponse>();
const encoded = new WeakMap<IntrospectTokenResponse, Uint8Array>();
const writer = new WireWriter();

/** What a token is worth, in the contract's form. Not to be changed: others are given the same one. */
export function introspectionResponse(found: Introspection): IntrospectTokenResponse {
  if (!found.active) return INACTIVE;
  const { claims, clientId, state } = found;
  let answer = answers.get(state);
  if (answer === undefined) {
    answer = create(IntrospectTokenResponseSchema, {
      active: true,
      sub: claims.sub,
      sid: claims.sid,
      jti: claims.jti,
      iss: claims.iss,
      aud: [...claims.aud],
      exp: BigInt(claims.exp),
      iat: BigInt(claims.iat),
      nbf: BigInt(claims.nbf),
      tokenType: 'Bearer',
      username: state.user.email,
      roles: [...state.user.roles],
      mfaVerified: state.session.mfaVerified,
      clientId,
      amr: [...(claims.amr ?? [])],
      ...(claims.acr === undefined ? {} : { acr: claims.acr }),
      ...(claims.auth_time === undefined ? {} : { authTime: BigInt(claims.auth_time) }),
    });
    answers.set(state, answer);
  }
  return answer;
}

/** IntrospectTokenResponse in protobuf's binary form. */
export function encodeIntrospectTokenResponse(message: IntrospectTokenResponse): Uint8Array {
  let bytes = encoded.get(message);
  if (bytes === undefined) {
    bytes = toBinary(IntrospectTokenResponseSchema, message);
    encoded.set(message, bytes);
  }
  return bytes;
}

/** BatchIntrospectTokensResponse in protobuf's binary form. */
export function encodeBatchIntrospectTokensResponse({ results }: BatchIntrospectTokensResponse): Buffer {
  writer.clear();
  for (const result of results) writer.bytes(1, encodeIntrospectTokenResponse(result));
  return writer.finish();
}
