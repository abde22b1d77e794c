import { expect, it } from 'vitest';
import { authenticationContext } from '../authentication-context.ts';
import { DatabaseUnavailable } from '../errors.ts';
import { VerifiedTokens } from '../introspect-tokens.ts';
import { SessionPolicy } from '../session-policy.ts';
import type { LiveState } from '../session-state.ts';
import { START, session, TestKeys } from '../testing-access-tokens.ts';
import type { Role } from '../user.ts';
import type { AccessRequirement } from './access.ts';
import { AccessRules } from './access-rules.ts';
import { type AccessDeps, decideAccess } from './decide-access.ts';

const required: AccessRequirement = {
  token: 'required',
  roles: [],
  acr: undefined,
  maxAgeSeconds: undefined,
};
const keys = await TestKeys.create();
const { tokens } = keys.replica();
const state: LiveState = {
  session: {
    userId: session.userId as LiveState['session']['userId'],
    expiresAt: START.getTime() + 3_600_000,
    lastActivityAt: START.getTime(),
    mfaVerified: false,
    revokedTokens: [],
  },
  user: { email: 'ada@example.com', roles: ['premium'], tokenGeneration: session.generation },
};

async function issue(amr: Parameters<typeof authenticationContext>[0] = ['pwd']): Promise<string> {
  return (await tokens.issue({ ...session, authentication: authenticationContext(amr, START) })).token;
}

/** Decides on a request that bears a token, a minute after the sign-in. */
async function decide(
  requirement: Partial<AccessRequirement>,
  authorization: string | undefined,
  find: () => Promise<LiveState | null> = async () => state,
) {
  const deps: AccessDeps = {
    introspection: {
      verifiedTokens: new VerifiedTokens({ verify: async (token) => await tokens.verify(token) }),
      liveStates: { find },
      sessionPolicy: new SessionPolicy({ sessionsPerUser: 5, idleTimeoutMs: 3_600_000 }),
      sessionActivity: { touch: () => undefined },
      now: () => new Date(START.getTime() + 60_000),
    },
    accessRules: () => new AccessRules({ rules: [], fallback: { ...required, ...requirement } }),
  };
  return await decideAccess(deps, { method: 'GET', host: '', path: '/', authorization }, undefined);
}

const nobody = { outcome: 'ALLOWED', token: undefined };
const unauthenticated = (error: string) => ({ outcome: 'UNAUTHENTICATED', error });

it.each([
  ['none', undefined, nobody],
  ['none', 'Bearer nonsense', nobody],
  ['deny', undefined, { outcome: 'FORBIDDEN', reason: 'denied' }],
  ['optional', undefined, nobody],
  ['optional', 'Basic dXNlcjpwYXNz', nobody],
  ['optional', 'Bearer a.b.c', unauthenticated('invalid_token')],
  ['optional', 'Bearer a, Bearer b', unauthenticated('invalid_request')],
  ['required', undefined, unauthenticated('token_missing')],
  ['required', 'Basic dXNlcjpwYXNz', unauthenticated('token_missing')],
  ['required', 'Bearer', unauthenticated('invalid_request')],
  ['required', 'Bearer opaque', unauthenticated('invalid_token')],
  ['required', `Bearer ${'a'.repeat(9000)}`, unauthenticated('invalid_token')],
] as const)('where a token is %s: %s', async (token, authorization, decision) => {
  expect(await decide({ token }, authorization)).toEqual(decision);
});

it('a good token is known by its current state', async () => {
  for (const token of ['optional', 'required'] as const) {
    const decision = await decide({ token }, `bearer ${await issue()}`);
    expect(decision).toMatchObject({ outcome: 'ALLOWED', token: { claims: { sub: session.userId }, state } });
  }
});

it('a token whose session has ended is not good', async () => {
  const authorization = `Bearer ${await issue()}`;
  expect(await decide({}, authorization, async () => null)).toEqual(unauthenticated('invalid_token'));
  expect(await decide({ token: 'optional' }, authorization, async () => null)).toEqual(
    unauthenticated('invalid_token'),
  );
});

it('a database that does not answer is waited for a second, as a gateway waits no longer', async () => {
  const since = performance.now();
  const hung = () => new Promise<never>(() => undefined);
  const authorization = `Bearer ${await issue()}`;
  expect(await decide({}, authorization, hung)).toEqual({ outcome: 'UNAVAILABLE' });
  expect(performance.now() - since).toBeLessThan(1500);
  expect(await decide({ token: 'none' }, authorization, hung)).toEqual(nobody);
});

it('while the database can not be asked nobody with a token gets through, nor is told that it is bad', async () => {
  const away = async () => {
    throw new DatabaseUnavailable();
  };
  expect(await decide({ token: 'optional' }, `Bearer ${await issue()}`, away)).toEqual({
    outcome: 'UNAVAILABLE',
  });
});

it.each<[readonly Role[][], string]>([
  [[['premium']], 'ALLOWED'],
  [[['admin', 'premium']], 'ALLOWED'],
  [[['premium', 'user'], ['premium']], 'ALLOWED'],
  // The token says `user`, the account does not any more.
  [[['user']], 'FORBIDDEN'],
  [[['premium'], ['admin']], 'FORBIDDEN'],
])('of the roles %j one of each list is needed: %s', async (roles, outcome) => {
  const decision = await decide({ roles }, `Bearer ${await issue()}`);
  expect(decision.outcome).toBe(outcome);
});

it.each([
  [['pwd'], { acr: 'aal1' }, 'ALLOWED'],
  [['pwd'], { acr: 'aal2' }, 'STEP_UP_REQUIRED'],
  [['pwd', 'otp'], { acr: 'aal1' }, 'ALLOWED'],
  [['pwd', 'otp'], { acr: 'aal2' }, 'ALLOWED'],
  [['pwd'], { maxAgeSeconds: 60 }, 'ALLOWED'],
  [['pwd'], { maxAgeSeconds: 59 }, 'STEP_UP_REQUIRED'],
  [['pwd', 'otp'], { acr: 'aal2', maxAgeSeconds: 59 }, 'STEP_UP_REQUIRED'],
  // Authenticating again gives nobody a role.
  [['pwd'], { acr: 'aal2', roles: [['admin']] }, 'FORBIDDEN'],
] as const)(
  'a user who showed %j a minute ago, where %j is required: %s',
  async (amr, requirement, outcome) => {
    const decision = await decide(requirement, `Bearer ${await issue([...amr])}`);
    expect(decision.outcome).toBe(outcome);
  },
);
