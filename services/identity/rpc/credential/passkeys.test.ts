import { timestampDate } from '@bufbuild/protobuf/wkt';
import { type Client, Code } from '@connectrpc/connect';
import { v7 as uuidV7 } from 'uuid';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CredentialService } from '../../../../gen/optix/identity/v1/credential_service_pb.ts';
import { failure, fieldsOf, reasonOf } from '../../../../testing/failure.ts';
import type { PasskeyDeps } from '../../domain/second-factors/passkey-deps.ts';
import { openTestOrm, type TestOrm } from '../../storage/testing-orm.ts';
import { TestPasskeys } from '../../storage/testing-passkeys.ts';
import { partialTable, testClient } from '../testing-client.ts';
import { beginPasskeyRegistration } from './begin-passkey-registration.ts';
import { deletePasskey } from './delete-passkey.ts';
import { finishPasskeyRegistration } from './finish-passkey-registration.ts';
import { updatePasskey } from './update-passkey.ts';

/** As the sessions of these tests name it. */
const DEVICE = { id: 'device-1', fingerprint: 'fp-1', ipAddress: '2001:db8::7' };

let db: TestOrm;
let passkeys: TestPasskeys;
let accessToken: string;
let client: Client<typeof CredentialService>;
beforeAll(async () => {
  db = await openTestOrm();
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  passkeys = await TestPasskeys.open(db);
  ({ accessToken } = await passkeys.factors.signIn(['pwd', 'otp']));
  client = clientOf(passkeys.deps);
});

/** The handlers on a real database, behind the pipeline. */
function clientOf(deps: PasskeyDeps): Client<typeof CredentialService> {
  const context = { passkeys: deps };
  const table = partialTable(CredentialService, {
    beginPasskeyRegistration: beginPasskeyRegistration(context),
    finishPasskeyRegistration: finishPasskeyRegistration(context),
    updatePasskey: updatePasskey(context),
    deletePasskey: deletePasskey(context),
  });
  return testClient(CredentialService, table, { name: 'web', scopes: ['auth'] });
}

const begin = () => client.beginPasskeyRegistration({ accessToken, device: DEVICE });

async function register(name = '') {
  const { registrationToken, options } = await begin();
  const challenge = Buffer.from(JSON.parse(options).challenge, 'base64url');
  const authenticator = passkeys.authenticator();
  const response = JSON.stringify(authenticator.register(challenge));
  const finished = { accessToken, registrationToken, response, name, device: DEVICE };
  return { authenticator, finished, ...(await client.finishPasskeyRegistration(finished)) };
}

test('a passkey is registered, renamed and removed', async () => {
  const { expireTime } = await begin();
  if (expireTime === undefined) throw new Error('no time in the answer');
  expect(timestampDate(expireTime).getTime() - Date.now()).toBeGreaterThan(290_000);
  const { authenticator, passkey, recoveryCodes } = await register('Öha 🔑');
  expect(recoveryCodes).toHaveLength(10);
  expect(passkey).toMatchObject({
    userId: passkeys.factors.ada.id,
    name: 'Öha 🔑',
    credentialId: authenticator.credentialId.toString('base64url'),
    aaguid: '',
    transports: ['internal'],
    multiDevice: false,
    backedUp: false,
  });
  expect(passkey?.lastUseTime).toBeUndefined();
  const passkeyId = passkey?.id ?? '';
  const renamed = await client.updatePasskey({ accessToken, passkeyId: passkeyId.toUpperCase(), name: '' });
  expect(renamed.passkey).toEqual({ ...passkey, name: '' });
  await client.deletePasskey({ accessToken, passkeyId, device: DEVICE });
  const gone = await failure(client.deletePasskey({ accessToken, passkeyId, device: DEVICE }));
  expect([gone.code, reasonOf(gone)]).toEqual([Code.NotFound, 'SECOND_FACTOR_NOT_FOUND']);
});

describe('a request names what is wrong with it:', () => {
  test('what a registration is finished with', async () => {
    const error = await failure(
      client.finishPasskeyRegistration({ name: 'é'.repeat(65), device: { ipAddress: 'nowhere' } }),
    );
    expect(error.code).toBe(Code.InvalidArgument);
    expect(fieldsOf(error)).toEqual([
      'access_token',
      'registration_token',
      'response',
      'name',
      'device.ip_address',
    ]);
  });

  test('a response of more than 16 KiB', async () => {
    const { finished } = await register();
    const error = await failure(
      client.finishPasskeyRegistration({ ...finished, response: ' '.repeat(16_385) }),
    );
    expect(fieldsOf(error)).toEqual(['response']);
    expect(reasonOf(error)).not.toBe('PASSKEY_REFUSED');
  });

  test('a response that proves nothing', async () => {
    const { registrationToken } = await begin();
    const wanted = { accessToken, registrationToken, device: DEVICE };
    for (const [response, reason] of [
      ['{}', 'malformed'],
      ['{"', 'malformed'],
      [JSON.stringify(passkeys.authenticator().register(Buffer.alloc(32))), 'wrong_challenge'],
    ] as const) {
      const error = await failure(client.finishPasskeyRegistration({ ...wanted, response }));
      expect([error.code, reasonOf(error)]).toEqual([Code.InvalidArgument, 'PASSKEY_REFUSED']);
      expect(fieldsOf(error)).toEqual(['response']);
      expect(error.rawMessage).toBe(`the passkey was refused: ${reason}`);
    }
  });

  test.each(['a\nb', 'a\u0000b', 'a\u2028b', 'x'.repeat(129)])('a name %j', async (name) => {
    const passkeyId = uuidV7();
    expect(fieldsOf(await failure(client.updatePasskey({ accessToken, passkeyId, name })))).toEqual(['name']);
  });

  test('an id that is none, and a token that is not there', async () => {
    const error = await failure(client.deletePasskey({ passkeyId: 'x' }));
    expect(fieldsOf(error)).toEqual(['access_token', 'passkey_id']);
  });
});

test.each([
  ['a text', 'INVALID_ACCESS_TOKEN'],
  ['a.b.c', 'INVALID_ACCESS_TOKEN'],
])('an access token that is not good is refused by all: %s', async (text, reason) => {
  const { finished, passkey } = await register();
  const passkeyId = passkey?.id ?? '';
  for (const call of [
    client.beginPasskeyRegistration({ accessToken: text, device: DEVICE }),
    client.finishPasskeyRegistration({ ...finished, accessToken: text }),
    client.updatePasskey({ accessToken: text, passkeyId, name: 'x' }),
    client.deletePasskey({ accessToken: text, passkeyId, device: DEVICE }),
  ]) {
    const error = await failure(call);
    expect([error.code, reasonOf(error)]).toEqual([Code.Unauthenticated, reason]);
  }
  expect(await passkeys.stored()).toMatchObject([{ id: passkeyId, name: null }]);
});

test('a registration that is over, and a passkey that somebody has, are told apart', async () => {
  const { finished, authenticator } = await register();
  const over = await failure(client.finishPasskeyRegistration(finished));
  expect([over.code, reasonOf(over)]).toEqual([Code.Unauthenticated, 'INVALID_CHALLENGE']);
  const { registrationToken, options } = await begin();
  const challenge = Buffer.from(JSON.parse(options).challenge, 'base64url');
  const response = JSON.stringify(authenticator.register(challenge));
  const taken = await failure(client.finishPasskeyRegistration({ ...finished, registrationToken, response }));
  expect([taken.code, reasonOf(taken)]).toEqual([Code.AlreadyExists, 'PASSKEY_ALREADY_REGISTERED']);
});

test('a user who authenticated long ago, or a service without a relying party, registers none', async () => {
  const off = clientOf({ ...passkeys.deps, relyingParty: null });
  const unset = await failure(off.beginPasskeyRegistration({ accessToken, device: DEVICE }));
  expect([unset.code, reasonOf(unset)]).toEqual([Code.FailedPrecondition, 'PASSKEYS_NOT_CONFIGURED']);
  passkeys.factors.identity.ahead += 600_001;
  const old = await failure(begin());
  expect([old.code, reasonOf(old)]).toEqual([Code.FailedPrecondition, 'REAUTHENTICATION_REQUIRED']);
});
