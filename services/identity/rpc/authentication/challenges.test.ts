import { type Client, Code } from '@connectrpc/connect';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ErrorInfoSchema } from '../../../../gen/google/rpc/error_details_pb.ts';
import {
  AuthenticationService,
  ChallengeMethod,
} from '../../../../gen/optix/identity/v1/authentication_service_pb.ts';
import { Metrics } from '../../../../runtime/metrics/metrics.ts';
import { serviceTable } from '../../../../runtime/service-table.ts';
import { failure, fieldsOf, reasonOf } from '../../../../testing/failure.ts';
import { countIdentityOutcomes } from '../../metrics/identity-outcomes.ts';
import { TestChallenges } from '../../storage/testing-challenges.ts';
import { PASSWORD } from '../../storage/testing-identity.ts';
import { openTestOrm, type TestOrm } from '../../storage/testing-orm.ts';
import type { TestApp } from '../../storage/testing-second-factors.ts';
import { requestKeysFrom } from '../request-key.ts';
import { testClient } from '../testing-client.ts';
import { authenticate } from './authenticate.ts';
import { beginPasskeyAuthentication } from './begin-passkey-authentication.ts';
import { beginStepUp } from './begin-step-up.ts';
import { completeChallenge } from './complete-challenge.ts';
import { register } from './register.ts';
import { signOut } from './sign-out.ts';

const device = { id: 'device-1', fingerprint: 'fp-1', ipAddress: '2001:db8::7' };
const credentials = { email: 'ada@example.com', password: PASSWORD, device };

let db: TestOrm;
let tests: TestChallenges;
let app: TestApp;
let recoveryCodes: readonly string[];
let client: Client<typeof AuthenticationService>;
beforeAll(async () => {
  db = await openTestOrm();
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  tests = await TestChallenges.open(db);
  ({ app, recoveryCodes } = await tests.enrollApp());
  client = clientOf(tests);
});

/** A client of AuthenticationService's handlers, behind the pipeline, that needs no port. */
function clientOf({ identity, deps }: TestChallenges): Client<typeof AuthenticationService> {
  const outcomes = countIdentityOutcomes(new Metrics());
  const requestKeys = requestKeysFrom(new Uint8Array(32));
  const table = serviceTable(AuthenticationService, {
    register: register({ registration: identity, requestKeys, outcomes }),
    authenticate: authenticate({ authentication: identity, outcomes }),
    completeChallenge: completeChallenge({ challenges: deps, outcomes }),
    beginPasskeyAuthentication: beginPasskeyAuthentication({ challenges: deps }),
    beginStepUp: beginStepUp({ challenges: deps }),
    signOut: signOut({ revocation: identity }),
  });
  return testClient(AuthenticationService, table, { name: 'app', scopes: ['auth'] });
}

async function challengeToken(): Promise<string> {
  const { challenge } = await client.authenticate(credentials);
  return challenge?.token ?? '';
}

const totpCode = (value = app.code()) => ({ case: 'totpCode', value }) as const;
const metadataOf = (error: Awaited<ReturnType<typeof failure>>) =>
  error.findDetails(ErrorInfoSchema)[0]?.metadata;

describe('Authenticate', () => {
  test('answers with the challenge and nothing else where a second factor is due', async () => {
    const { challenge, ...rest } = await client.authenticate(credentials);
    expect(challenge).toMatchObject({
      methods: [ChallengeMethod.TOTP, ChallengeMethod.RECOVERY_CODE],
      ...{ token: expect.stringMatching(/^[\w-]{43}$/), passkeyOptions: '' },
    });
    expect(rest).toMatchObject({ accessToken: '', refreshToken: '', tokenType: '' });
    expect([rest.session, rest.user, rest.accessTokenExpireTime]).toEqual([undefined, undefined, undefined]);
  });
});

describe('CompleteChallenge', () => {
  test('answers as Authenticate does, and says how the user authenticated', async () => {
    const answer = await client.completeChallenge({
      ...{ challengeToken: await challengeToken(), proof: totpCode(), device },
    });
    expect(answer).toMatchObject({
      ...{ tokenType: 'Bearer', trustToken: '', user: { id: tests.ada.id, mfaEnabled: true } },
      ...{ accessToken: expect.stringContaining('.'), refreshToken: expect.stringMatching(/./) },
      session: {
        amr: ['pwd', 'otp', 'mfa'],
        acr: 'aal2',
        mfaVerified: true,
        trustedDevice: false,
        active: true,
      },
    });
    expect(answer.session?.authenticateTime).toEqual(answer.session?.createTime);
  });

  test('gives a device a trust token that Authenticate takes', async () => {
    const { trustToken, trustTokenExpireTime } = await client.completeChallenge({
      ...{ challengeToken: await challengeToken(), proof: totpCode(), device, trustDevice: true },
    });
    expect(trustTokenExpireTime).toBeDefined();
    const { session, challenge } = await client.authenticate({ ...credentials, trustToken });
    expect(challenge).toBeUndefined();
    expect(session).toMatchObject({ trustedDevice: true, mfaVerified: false, amr: ['pwd'], acr: 'aal1' });
  });

  test('takes recovery codes in any spelling', async () => {
    const proof = {
      case: 'recoveryCode',
      value: (recoveryCodes[0] ?? '').toLowerCase().replaceAll('-', ' '),
    } as const;
    await client.completeChallenge({ challengeToken: await challengeToken(), proof, device });
  });

  test('refuses a wrong code with the attempts that are left', async () => {
    const token = await challengeToken();
    const code = [-1, 0, 1].map((step) => app.code(step)).includes('000000') ? '000001' : '000000';
    const error = await failure(
      client.completeChallenge({ challengeToken: token, proof: totpCode(code), device }),
    );
    expect([error.code, reasonOf(error)]).toEqual([Code.Unauthenticated, 'SECOND_FACTOR_REFUSED']);
    expect(metadataOf(error)).toEqual({ attempts_left: '4' });
  });

  test('names a challenge that is not good as such', async () => {
    const error = await failure(client.completeChallenge({ challengeToken: 'x', proof: totpCode(), device }));
    expect([error.code, reasonOf(error)]).toEqual([Code.Unauthenticated, 'INVALID_CHALLENGE']);
  });

  test.each<[field: string, Parameters<typeof client.completeChallenge>[0]]>([
    ['challenge_token', { proof: { case: 'totpCode', value: '123456' }, device }],
    ['proof', { device }],
    ['totp_code', { proof: { case: 'totpCode', value: '12345' }, device }],
    ['recovery_code', { proof: { case: 'recoveryCode', value: 'short' }, device }],
    ['passkey_response', { proof: { case: 'passkeyResponse', value: ' '.repeat(16_385) }, device }],
    ['passkey_response', { proof: { case: 'passkeyResponse', value: '' }, device }],
    ['password', { proof: { case: 'password', value: 'x'.repeat(129) }, device }],
    ['device.ip_address', { proof: { case: 'password', value: 'x' }, device: { ipAddress: 'x' } }],
    [
      'device.fingerprint',
      { proof: { case: 'totpCode', value: '123456' }, device: { id: 'd' }, trustDevice: true },
    ],
  ])('names the field that is wrong, and counts nothing: %s', async (field, request) => {
    const token = await challengeToken();
    const named = field === 'challenge_token' ? '' : token;
    const error = await failure(client.completeChallenge({ ...request, challengeToken: named }));
    expect([error.code, fieldsOf(error)]).toEqual([Code.InvalidArgument, [field]]);
    expect(await tests.challenges()).toMatchObject([{ attempts: 0, used_at: null }]);
  });
});

describe('BeginStepUp', () => {
  test('leads to an access token alone', async () => {
    const { accessToken, session } = await client.completeChallenge({
      ...{ challengeToken: await challengeToken(), proof: totpCode(), device },
    });
    tests.factors.passSteps();
    const { challenge } = await client.beginStepUp({ accessToken, device });
    expect(challenge?.methods).toEqual([ChallengeMethod.TOTP]);
    const answer = await client.completeChallenge({
      ...{ challengeToken: challenge?.token ?? '', proof: totpCode(), device, trustDevice: true },
    });
    expect(answer).toMatchObject({
      refreshToken: '',
      trustToken: '',
      session: { id: session?.id, acr: 'aal2' },
    });
    expect(answer.refreshTokenExpireTime).toBeUndefined();
    expect(answer.accessToken).not.toBe(accessToken);
  });

  test('refuses a token that is not good', async () => {
    const error = await failure(client.beginStepUp({ accessToken: 'x', device }));
    expect([error.code, reasonOf(error)]).toEqual([Code.Unauthenticated, 'INVALID_ACCESS_TOKEN']);
    expect(fieldsOf(await failure(client.beginStepUp({ device })))).toEqual(['access_token']);
  });
});

describe('BeginPasskeyAuthentication', () => {
  test('leads to a session, without a password; all refusals have the same bytes', async () => {
    const authenticator = await tests.registerPasskey();
    const begin = async () => {
      const { challenge } = await client.beginPasskeyAuthentication({ device });
      expect(challenge?.methods).toEqual([ChallengeMethod.PASSKEY]);
      const { challenge: signed } = JSON.parse(challenge?.passkeyOptions ?? '') as {
        readonly challenge: string;
      };
      return { challengeToken: challenge?.token ?? '', toSign: Buffer.from(signed, 'base64url') };
    };
    const complete = ({ challengeToken }: { readonly challengeToken: string }, response: object) =>
      client.completeChallenge({
        ...{ challengeToken, proof: { case: 'passkeyResponse', value: JSON.stringify(response) }, device },
      });
    const first = await begin();
    const { session } = await complete(first, authenticator.assert(first.toSign));
    expect(session).toMatchObject({ userId: tests.ada.id, amr: ['hwk', 'user', 'mfa'], acr: 'aal2' });

    const [second, third] = [await begin(), await begin()];
    const wrong = await failure(complete(second, authenticator.assert(first.toSign)));
    const stranger = tests.passkeys.authenticator();
    const unknown = await failure(complete(third, stranger.assert(third.toSign)));
    expect([wrong.code, reasonOf(wrong)]).toEqual([Code.Unauthenticated, 'SECOND_FACTOR_REFUSED']);
    const bytes = ({ code, rawMessage, details }: typeof wrong) => ({ code, rawMessage, details });
    expect(bytes(unknown)).toEqual(bytes(wrong));
  });

  test('is not there without a relying party', async () => {
    Object.assign(tests.deps, { relyingParty: null });
    const error = await failure(client.beginPasskeyAuthentication({ device }));
    expect([error.code, reasonOf(error)]).toEqual([Code.FailedPrecondition, 'PASSKEYS_NOT_CONFIGURED']);
  });
});
