import { expect, it } from 'vitest';
import type { AccessRefusal } from '../domain/access/access.ts';
import { UnreadableRequirement } from '../domain/access/gateway-requirement.ts';
import { misconfiguration, refusal } from './refusal.ts';

const stepUp = { outcome: 'STEP_UP_REQUIRED', acr: 'aal2', maxAgeSeconds: 900 } as const;

it.each<[AccessRefusal, number, RegExp | undefined]>([
  [{ outcome: 'UNAUTHENTICATED', error: 'token_missing' }, 401, /^Bearer realm="optix"$/],
  [
    { outcome: 'UNAUTHENTICATED', error: 'invalid_request' },
    401,
    /^Bearer realm="optix", error="invalid_request", error_description="[^"\\]+"$/,
  ],
  [
    { outcome: 'UNAUTHENTICATED', error: 'invalid_token' },
    401,
    /^Bearer realm="optix", error="invalid_token", error_description="[^"\\]+"$/,
  ],
  [
    stepUp,
    401,
    /^Bearer realm="optix", error="insufficient_user_authentication", error_description="[^"\\]+", acr_values="aal2", max_age="900"$/,
  ],
  [
    { ...stepUp, acr: undefined },
    401,
    /^Bearer realm="optix", error="insufficient_user_authentication", error_description="[^"\\]+", max_age="900"$/,
  ],
  [
    { outcome: 'FORBIDDEN', reason: 'insufficient_scope' },
    403,
    /^Bearer realm="optix", error="insufficient_scope", error_description="[^"\\]+"$/,
  ],
  [{ outcome: 'FORBIDDEN', reason: 'denied' }, 403, undefined],
  [{ outcome: 'FORBIDDEN', reason: 'unsafe_path' }, 403, undefined],
  [{ outcome: 'FORBIDDEN', reason: 'unsafe_host' }, 403, undefined],
  [{ outcome: 'UNAVAILABLE' }, 503, undefined],
])('%j is a problem with its status and challenge', (decision, status, challenge) => {
  const answer = refusal(decision);
  expect(answer.status).toBe(status);
  expect(JSON.parse(answer.body)).toMatchObject({ status });
  expect(answer.headers).toMatchObject({
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
  });
  const { 'www-authenticate': header, 'retry-after': retryAfter } = answer.headers;
  if (challenge === undefined) expect(header).toBeUndefined();
  else expect(header).toMatch(challenge);
  expect(retryAfter).toBe(status === 503 ? '1' : undefined);
});

it('a body tells programs what to do', () => {
  expect(JSON.parse(refusal(stepUp).body)).toMatchObject({
    error: 'insufficient_user_authentication',
    acr_values: 'aal2',
    max_age: 900,
  });
});

it('a gateway that is configured wrongly is told what is wrong', () => {
  const answer = misconfiguration(new UnreadableRequirement('"role" is no known parameter'));
  expect(answer.status).toBe(500);
  expect((JSON.parse(answer.body) as { detail: string }).detail).toContain('"role" is no known parameter');
});
