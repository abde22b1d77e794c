import { Code } from '@connectrpc/connect';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { failure, fieldsOf, reasonOf } from '../testing/failure.ts';
import { startTestIdentity, type TestService } from '../testing/services.ts';
import { FactorUser } from './factor-user.ts';
import { type IdentityRpcs, identityRpcs } from './identity-rpcs.ts';

const PASSWORD_ONLY = { amr: ['pwd'], acr: 'aal1' };

let database: TestDatabase;
let service: TestService;
let rpcs: IdentityRpcs;
beforeAll(async () => {
  database = await createTestDatabase();
  service = await startTestIdentity({ DATABASE_URL: database.url, RATE_LIMIT_ENABLED: 'false' });
  rpcs = identityRpcs(service.transport('gRPC'));
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

let user: FactorUser;
beforeEach(async () => {
  user = await FactorUser.register(rpcs, database.url);
  await user.enrol((await user.authenticate()).accessToken);
});

async function told(call: Promise<unknown>): Promise<string> {
  const error = await failure(call);
  return `${Code[error.code]} ${reasonOf(error)}`;
}

/** Signs in, and has the device trusted. */
const trusted = async () => (await user.signIn({ trustDevice: true })).trustToken;

it('a trusted device stands in for the second factor, of its user and with its fingerprint, and is counted', async () => {
  const trustToken = await trusted();
  const { session, accessToken } = await user.authenticate({ trustToken });
  expect(session).toMatchObject({ ...PASSWORD_ONLY, trustedDevice: true, mfaVerified: false });
  expect(decodeJwt(accessToken)).toMatchObject(PASSWORD_ONLY);
  const renew = rpcs.credentials.regenerateRecoveryCodes({ accessToken });
  expect(await told(renew)).toBe('FailedPrecondition REAUTHENTICATION_REQUIRED');
  await user.challenged({ trustToken, device: { ...user.device, fingerprint: 'another' } });
  await user.challenged({ trustToken: 'x'.repeat(43) });
  const { trustedDevices } = await rpcs.devices.listTrustedDevices({ userId: user.id });
  expect(trustedDevices).toMatchObject([{ useCount: 1n, trusted: true, device: { name: 'phone' } }]);
  user.password = 'not the password';
  const wrong = user.authenticate({ trustToken });
  expect(await told(wrong)).toBe('Unauthenticated INVALID_CREDENTIALS');
});

it('a trusted device never does for an administrator', async () => {
  const trustToken = await trusted();
  await rpcs.users.updateUserRoles({ id: user.id, roles: ['user', 'admin'] });
  await user.challenged({ trustToken });
  const { accessToken, trustToken: none } = await user.signIn({ trustDevice: true });
  expect(none).toBe('');
  const trust = rpcs.devices.trustDevice({ accessToken, device: user.device });
  expect(await told(trust)).toBe('FailedPrecondition DEVICE_TRUST_NOT_ALLOWED');
});

it('a trusted device loses its trust with a change of password, and when it is revoked', async () => {
  const trustToken = await trusted();
  const { id: userId, password: currentPassword, device } = user;
  const newPassword = 'another fine long phrase';
  await rpcs.credentials.changePassword({ userId, currentPassword, newPassword, device });
  user.password = newPassword;
  await user.challenged({ trustToken });
  const next = await trusted();
  expect((await rpcs.devices.verifyTrustedDevice({ userId, trustToken: next, device })).trusted).toBe(true);
  const { revokedDevices } = await rpcs.devices.revokeTrustedDevice({ userId });
  expect(revokedDevices).toBe(1n);
  await user.challenged({ trustToken: next });
  expect((await rpcs.devices.verifyTrustedDevice({ userId, trustToken: next, device })).trusted).toBe(false);
  const { trustedDevices } = await rpcs.devices.listTrustedDevices({ userId, showRevoked: true });
  expect(trustedDevices.map(({ revokeReason }) => revokeReason)).toEqual(['revoked', 'password_changed']);
});

it('a device is trusted in a session in which the second factor was shown lately, and no other', async () => {
  const { device, id: userId } = user;
  const { trustToken } = await user.signIn({ trustDevice: true });
  const byTrust = await user.authenticate({ trustToken });
  const weak = rpcs.devices.trustDevice({ accessToken: byTrust.accessToken, device });
  expect(await told(weak)).toBe('FailedPrecondition REAUTHENTICATION_REQUIRED');
  const { accessToken } = await user.signIn();
  const nameless = await failure(rpcs.devices.trustDevice({ accessToken, device: { id: 'x' } }));
  expect(fieldsOf(nameless)).toEqual(['device.fingerprint']);
  const laptop = { id: 'laptop', fingerprint: 'of the laptop', name: 'laptop' };
  const trust = await rpcs.devices.trustDevice({ accessToken, device: laptop });
  expect(
    (await user.authenticate({ trustToken: trust.trustToken, device: laptop })).challenge,
  ).toBeUndefined();
  await user.challenged({ trustToken: trust.trustToken });
  const { trustedDevices } = await rpcs.devices.listTrustedDevices({ userId });
  expect(trustedDevices.map((each) => each.device?.name)).toEqual(['laptop', 'phone']);
});

it('a trusted device loses its trust with the second factor that it stood in for', async () => {
  const { trustToken, accessToken } = await user.signIn({ trustDevice: true });
  const { device, id: userId } = user;
  await rpcs.credentials.removeTotp({ accessToken, device });
  await user.enrol((await user.authenticate()).accessToken);
  await user.challenged({ trustToken });
  const { trustedDevices } = await rpcs.devices.listTrustedDevices({ userId, showRevoked: true });
  expect(trustedDevices).toMatchObject([{ trusted: false, revokeReason: 'second_factor_removed' }]);
});
