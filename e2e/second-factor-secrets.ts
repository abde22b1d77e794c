import { randomBytes } from 'node:crypto';
import { TestAuthenticator } from '../services/identity/domain/passkeys/testing-authenticator.ts';
import { createRecoveryCodes } from '../services/identity/domain/recovery-code.ts';
import type { Uuid } from '../services/identity/domain/uuid.ts';
import { failure } from '../testing/failure.ts';
import { FactorUser, fromBase32, recovery, totp } from './factor-user.ts';
import type { IdentityRpcs } from './identity-rpcs.ts';

/** Where passkeys are used: what {@link useSecondFactors} wants identity's settings to say. */
export const PASSKEY_SETTINGS = {
  WEBAUTHN_RP_ID: 'example.com',
  WEBAUTHN_ORIGINS: 'https://app.example.com',
};

type Keep = (name: string, secret: string | Uint8Array) => void;

/** All that people do with second factors, well and badly. Every secret of it is kept. */
export async function useSecondFactors(
  { grpc, http }: { readonly grpc: IdentityRpcs; readonly http: IdentityRpcs },
  databaseUrl: string,
  keep: Keep,
): Promise<void> {
  const user = await FactorUser.register(grpc, databaseUrl);
  const { id: userId, device } = user;
  const { accessToken, refreshToken } = await user.authenticate();
  keep('access token of an enrolment', accessToken);
  keep('refresh token of an enrolment', refreshToken);
  await failure(http.credentials.confirmTotpEnrollment({ accessToken, code: '123456', device }));
  const codes = await user.enrol(accessToken);
  keepAuthenticator(keep, 'in force', user.enrolled);
  for (const [index, code] of codes.entries()) keepRecoveryCode(keep, `${index}`, code);

  // Wrong ones, in the wrong fields too.
  const challenge = await user.challenged();
  keep('challenge token', challenge.token);
  const [wrong] = createRecoveryCodes(userId as Uuid);
  keepRecoveryCode(keep, 'that is wrong', wrong?.code ?? '');
  await failure(user.complete(challenge, recovery(wrong?.code ?? '')));
  await failure(user.complete(challenge, totp(user.wrongCode())));
  await failure(user.complete(challenge, totp(codes[1] ?? '')));
  await failure(user.complete({ token: codes[1] ?? '' }, recovery(challenge.token)));
  await failure(http.auth.beginStepUp({ accessToken: challenge.token, device }));
  const opened = await user.complete(challenge, recovery(codes[0] ?? ''), { trustDevice: true });
  await failure(user.complete(challenge, recovery(codes[0] ?? '')));
  keep('access token of a challenge', opened.accessToken);
  keep('refresh token of a challenge', opened.refreshToken);

  await useTrust({ grpc, http }, user, opened, keep);
  await usePasskey({ grpc, http }, user, opened.accessToken, keep);

  const { challenge: stepUp } = await http.auth.beginStepUp({ accessToken: opened.accessToken, device });
  keep('token of a step-up', stepUp?.token ?? '');
  const stepped = await user.complete({ token: stepUp?.token ?? '' }, totp(await user.freshCode()));
  keep('access token of a step-up', stepped.accessToken);
  const renewed = await http.credentials.regenerateRecoveryCodes({
    accessToken: stepped.accessToken,
    device,
  });
  keepRecoveryCode(keep, 'that is renewed', renewed.recoveryCodes[0] ?? '');

  // What waits when everything is looked at.
  keep('token of a challenge that waits', (await user.challenged()).token);
  const pending = await http.credentials.beginTotpEnrollment({ accessToken: stepped.accessToken, device });
  keepAuthenticator(keep, 'that waits', pending);
}

async function useTrust(
  { grpc, http }: { readonly grpc: IdentityRpcs; readonly http: IdentityRpcs },
  user: FactorUser,
  opened: { readonly accessToken: string; readonly trustToken: string },
  keep: Keep,
): Promise<void> {
  const { id: userId, device } = user;
  keep('trust token of a sign-in', opened.trustToken);
  const { trustToken } = await http.devices.trustDevice({ accessToken: opened.accessToken, device });
  keep('trust token', trustToken);
  const trusted = await user.authenticate({ trustToken });
  keep('access token by a trusted device', trusted.accessToken);
  // As a thief would.
  const thief = { ...device, fingerprint: 'of a thief' };
  keep('challenge token of a thief', (await user.challenged({ trustToken, device: thief })).token);
  await grpc.devices.verifyTrustedDevice({ userId, trustToken, device: thief });
  await failure(http.devices.revokeTrustedDevice({ userId, id: trustToken }));
}

async function usePasskey(
  { grpc, http }: { readonly grpc: IdentityRpcs; readonly http: IdentityRpcs },
  { id: userId, device }: FactorUser,
  accessToken: string,
  keep: Keep,
): Promise<void> {
  const authenticator = new TestAuthenticator({
    ...{
      userId: userId as Uuid,
      origin: PASSKEY_SETTINGS.WEBAUTHN_ORIGINS,
      rpId: PASSKEY_SETTINGS.WEBAUTHN_RP_ID,
    },
  });
  const challengeIn = (options: string) => Buffer.from(JSON.parse(options).challenge, 'base64url');
  const { registrationToken, options } = await grpc.credentials.beginPasskeyRegistration({
    accessToken,
    device,
  });
  keep('registration token', registrationToken);
  const made = authenticator.register(challengeIn(options));
  keep('client data of a registration', made.response.clientDataJSON);
  const registration = { accessToken, registrationToken, response: JSON.stringify(made), device };
  const forged = authenticator.register(randomBytes(32));
  const refused = { ...registration, response: JSON.stringify(forged) };
  keep('client data of a registration that is refused', forged.response.clientDataJSON);
  await failure(http.credentials.finishPasskeyRegistration(refused));
  await grpc.credentials.finishPasskeyRegistration(registration);
  await failure(http.credentials.finishPasskeyRegistration(registration));

  const { challenge } = await http.auth.beginPasskeyAuthentication({ device });
  const { token: challengeToken = '', passkeyOptions = '' } = challenge ?? {};
  keep('token of a sign-in by passkey', challengeToken);
  const complete = async (rpcs: IdentityRpcs, response: object) =>
    await rpcs.auth.completeChallenge({
      ...{ challengeToken, device, proof: { case: 'passkeyResponse', value: JSON.stringify(response) } },
    });
  const stranger = authenticator.assert(randomBytes(32), { signCount: 7 });
  keep('signature that is refused', stranger.response.signature);
  await failure(complete(http, stranger));
  const assertion = authenticator.assert(challengeIn(passkeyOptions), { signCount: 8 });
  keep('signature', assertion.response.signature);
  keep('client data of a sign-in', assertion.response.clientDataJSON);
  const { accessToken: opened } = await complete(grpc, assertion);
  keep('access token by passkey', opened);
  await failure(complete(http, assertion));
}

function keepAuthenticator(
  keep: Keep,
  which: string,
  { secret, otpauthUri, qrSvg }: { secret: string; otpauthUri: string; qrSvg: string },
): void {
  keep(`secret of an app ${which}`, secret);
  keep(`bytes of the secret of an app ${which}`, fromBase32(secret));
  keep(`otpauth URI of an app ${which}`, otpauthUri);
  keep(`QR code of an app ${which}`, qrSvg);
}

function keepRecoveryCode(keep: Keep, which: string, code: string): void {
  keep(`recovery code ${which}`, code);
  keep(`recovery code ${which}, without hyphens`, code.replaceAll('-', ''));
}
