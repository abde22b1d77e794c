import { create, toBinary } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import type { HttpAnswer } from '../../../../clients/http/problem.ts';
import { HeaderValueOption_HeaderAppendAction } from '../../../../gen/envoy/config/core/v3/base_pb.ts';
import {
  type CheckResponse,
  CheckResponseSchema,
} from '../../../../gen/envoy/service/auth/v3/external_auth_pb.ts';
import type { StatusCode } from '../../../../gen/envoy/type/v3/http_status_pb.ts';
import type { ActiveToken } from '../../domain/access/access.ts';
import { IDENTITY_HEADERS, identityHeaders } from '../../domain/access/identity-headers.ts';
import type { LiveState } from '../../domain/session-state.ts';

const OVERWRITE = HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD;
const NAMES: ReadonlySet<string> = new Set(IDENTITY_HEADERS);
/** Codes of the refusals, by their status of HTTP. */
const CODES: Readonly<Record<number, Code>> = {
  401: Code.Unauthenticated,
  403: Code.PermissionDenied,
  500: Code.Internal,
  503: Code.Unavailable,
};

/** By the state, which was found for one token only. */
const answers = new WeakMap<LiveState, CheckResponse>();
const encoded = new WeakMap<CheckResponse, Uint8Array>();

/**
 * Has Envoy let a request go on, with the identity headers put on it and whatever the client sent of them taken off.
 * Not to be changed: others are given the same one.
 *
 * @param sent names of the headers that the client sent
 */
export function allowed(token: ActiveToken | undefined, sent: readonly string[]): CheckResponse {
  const lookalikes = sent.filter(isLookalike);
  if (token === undefined || lookalikes.length > 0) return allowedAnew(token, lookalikes);
  let answer = answers.get(token.state);
  if (answer === undefined) {
    answer = allowedAnew(token, []);
    answers.set(token.state, answer);
    encoded.set(answer, toBinary(CheckResponseSchema, answer));
  }
  return answer;
}

/** Has Envoy answer a request itself. */
export function denied({ status, headers, body }: HttpAnswer): CheckResponse {
  return create(CheckResponseSchema, {
    status: { code: CODES[status] ?? Code.Internal },
    httpResponse: {
      case: 'deniedResponse',
      value: { status: { code: status as StatusCode }, headers: options(Object.entries(headers)), body },
    },
  });
}

/** CheckResponse in protobuf's binary form. */
export function encodeCheckResponse(message: CheckResponse): Uint8Array {
  return encoded.get(message) ?? toBinary(CheckResponseSchema, message);
}

function allowedAnew(token: ActiveToken | undefined, lookalikes: readonly string[]): CheckResponse {
  const headers = Object.entries(identityHeaders(token));
  const empty = headers.filter(([, value]) => value === '').map(([name]) => name);
  return create(CheckResponseSchema, {
    status: { code: 0 },
    httpResponse: {
      case: 'okResponse',
      value: {
        headers: options(headers.filter(([, value]) => value !== '')),
        // An empty header might be left out, and so leave the client's own in place.
        headersToRemove: [...empty, ...lookalikes],
      },
    },
    ...(token === undefined ? {} : { dynamicMetadata: metadataOf(token) }),
  });
}

function metadataOf({ claims, state }: ActiveToken) {
  return {
    user_id: claims.sub,
    session_id: claims.sid,
    roles: [...state.user.roles],
    acr: claims.acr ?? '',
  };
}

/** `append` stays unset: where it is set, Envoy heeds it instead of the action, and older versions know only it. */
function options(headers: readonly (readonly [string, string])[]) {
  return headers.map(([key, value]) => ({ header: { key, value }, appendAction: OVERWRITE }));
}

/** `x_auth_user_id`: what runs as CGI or WSGI can't tell it from the header with hyphens (RFC 3875 section 4.1.18). */
function isLookalike(name: string): boolean {
  return name.includes('_') && NAMES.has(name.toLowerCase().replaceAll('_', '-'));
}
