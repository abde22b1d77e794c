import { type HttpAnswer, problemAnswer } from '../../http/problem.ts';
import { descriptionOf, type Refusal, refusalHeaders } from './refusal.ts';

/** Titles of problems that have no type of their own are those of their status (RFC 9457 section 4.2.1). */
const STATUSES = {
  unauthenticated: { status: 401, title: 'Unauthorized' },
  forbidden: { status: 403, title: 'Forbidden' },
  unavailable: { status: 503, title: 'Service Unavailable' },
} as const;

/**
 * The refusal on HTTP: 401 and 403 with the challenge of RFC 6750 or RFC 9470, 503 with Retry-After. The body is a problem
 * whose `error` programs can go by.
 */
export function refusalAnswer(refusal: Refusal, realm: string): HttpAnswer {
  return problemAnswer({
    ...STATUSES[kindOf(refusal)],
    detail: descriptionOf(refusal),
    members: membersOf(refusal),
    headers: refusalHeaders(refusal, realm),
  });
}

function kindOf({ error }: Refusal): keyof typeof STATUSES {
  if (error === 'insufficient_scope') return 'forbidden';
  return error === 'temporarily_unavailable' ? 'unavailable' : 'unauthenticated';
}

function membersOf(refusal: Refusal): Readonly<Record<string, unknown>> {
  const { error } = refusal;
  if (error !== 'insufficient_user_authentication') return { error };
  const { acr, maxAgeSeconds } = refusal;
  return {
    error,
    ...(acr === undefined ? {} : { acr_values: acr }),
    ...(maxAgeSeconds === undefined ? {} : { max_age: maxAgeSeconds }),
  };
}
