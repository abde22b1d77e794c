import { type HttpAnswer, problemAnswer } from '../../../clients/http/problem.ts';
import type { AccessRefusal } from '../domain/access/access.ts';
import type { UnreadableRequirement } from '../domain/access/gateway-requirement.ts';

const REALM = 'Bearer realm="optix"';
/** As other answers have it while the database is away, in seconds. */
const RETRY_AFTER = '1';

/** What whoever sent the request is answered: RFC 6750 section 3, RFC 9470 section 3, RFC 9457. */
export function refusal(decision: AccessRefusal): HttpAnswer {
  switch (decision.outcome) {
    case 'UNAUTHENTICATED':
      return unauthenticated(decision.error);
    case 'STEP_UP_REQUIRED':
      return stepUp(decision);
    case 'FORBIDDEN':
      return forbidden(decision.reason);
    case 'UNAVAILABLE':
      return problemAnswer({
        status: 503,
        title: 'Service Unavailable',
        detail: 'Whether the access token is good can not be found out at the moment: try again.',
        headers: { 'retry-after': RETRY_AFTER },
      });
  }
}

/** What is answered while the gateway asks for something that can't be read. */
export function misconfiguration({ problem }: UnreadableRequirement): HttpAnswer {
  return problemAnswer({
    status: 500,
    title: 'Internal Server Error',
    detail: `The configuration of the gateway can not be used: ${problem}.`,
  });
}

type Unauthenticated = Extract<AccessRefusal, { readonly outcome: 'UNAUTHENTICATED' }>['error'];

const UNAUTHENTICATED: Readonly<Record<Unauthenticated, string>> = {
  token_missing: 'Send an access token: authorization: Bearer <token>.',
  invalid_request: 'Send one header authorization of the form Bearer <token>.',
  invalid_token: 'The access token is not good: expired, revoked or not issued here.',
};

function unauthenticated(error: Unauthenticated): HttpAnswer {
  const detail = UNAUTHENTICATED[error];
  // A request without any authentication is told no error (RFC 6750 section 3.1).
  const hint = error === 'token_missing' ? '' : `, error="${error}", error_description="${detail}"`;
  return problemAnswer({
    status: 401,
    title: 'Unauthorized',
    detail,
    members: { error },
    headers: { 'www-authenticate': `${REALM}${hint}` },
  });
}

function stepUp({
  acr,
  maxAgeSeconds,
}: Extract<AccessRefusal, { readonly outcome: 'STEP_UP_REQUIRED' }>): HttpAnswer {
  const error = 'insufficient_user_authentication';
  const detail = 'The user has to authenticate again, or with a second factor.';
  const wanted = [
    `error="${error}"`,
    `error_description="${detail}"`,
    ...(acr === undefined ? [] : [`acr_values="${acr}"`]),
    ...(maxAgeSeconds === undefined ? [] : [`max_age="${maxAgeSeconds}"`]),
  ];
  return problemAnswer({
    status: 401,
    title: 'Unauthorized',
    detail,
    members: { error, acr_values: acr, max_age: maxAgeSeconds },
    headers: { 'www-authenticate': `${REALM}, ${wanted.join(', ')}` },
  });
}

type Forbidden = Extract<AccessRefusal, { readonly outcome: 'FORBIDDEN' }>['reason'];

const FORBIDDEN: Readonly<Record<Forbidden, string>> = {
  insufficient_scope: 'The user does not have a role that this needs.',
  denied: 'Nobody may do this.',
  unsafe_path: 'The path can be read in more than one way: send it without encoded slashes and the like.',
  unsafe_host: 'The request must name a host.',
};

function forbidden(error: Forbidden): HttpAnswer {
  const detail = FORBIDDEN[error];
  const challenge = `${REALM}, error="${error}", error_description="${detail}"`;
  return problemAnswer({
    status: 403,
    title: 'Forbidden',
    detail,
    members: { error },
    // A token of somebody else could do only where a role is missing.
    ...(error === 'insufficient_scope' ? { headers: { 'www-authenticate': challenge } } : {}),
  });
}
