import { integerSetting, listSetting, textSetting } from '../../../runtime/settings.ts';
import { parseOrigins, parseRpId } from '../domain/passkeys/relying-party.ts';
import { ROLES } from '../domain/user.ts';

/** Second factors, challenges and trusted devices. */
export const secondFactorSettings = {
  challengeLifetimeSeconds: integerSetting(
    'CHALLENGE_LIFETIME_SECONDS',
    300,
    { min: 30, max: 1800 },
    'How long a user has to show the second factor, in seconds.',
  ),
  stepUpMaxAgeSeconds: integerSetting(
    'STEP_UP_MAX_AGE_SECONDS',
    600,
    { min: 60, max: 86_400 },
    'How long ago a user may have authenticated when a second factor is changed or a device is trusted, in seconds.',
  ),
  totpIssuer: textSetting(
    'TOTP_ISSUER',
    'OPTIX',
    'The name under which authenticator apps show the account.',
    // The QR code has room for so much, and for an address of 254 bytes.
    (text) =>
      /^[^:\p{Cc}]+$/u.test(text) && Buffer.byteLength(text) <= 64
        ? undefined
        : 'must have 1 to 64 bytes and no colon',
  ),
  webauthnRpId: textSetting(
    'WEBAUTHN_RP_ID',
    undefined,
    'The domain that passkeys are made for (`example.com`): another one later makes all of them useless. Unset: `localhost` outside production; in production passkeys are off.',
    problemOf(parseRpId),
  ),
  webauthnRpName: textSetting(
    'WEBAUTHN_RP_NAME',
    'OPTIX',
    'The name that browsers show when a passkey is made.',
    (text) => (/^\P{Cc}{1,64}$/u.test(text) ? undefined : 'must have 1 to 64 characters'),
  ),
  webauthnOrigins: textSetting(
    'WEBAUTHN_ORIGINS',
    undefined,
    'The pages that may use passkeys, as origins between commas (`https://app.example.com`). Unset: `https://` and WEBAUTHN_RP_ID; the HTTP port on localhost where that is unset too.',
    problemOf(parseOrigins),
  ),
  trustedDeviceLifetimeSeconds: integerSetting(
    'TRUSTED_DEVICE_LIFETIME_SECONDS',
    2_592_000,
    { min: 0, max: 31_536_000 },
    'How long a trusted device stands in for the second factor, in seconds; 0: none does.',
  ),
  trustedDeviceRoles: listSetting(
    'TRUSTED_DEVICE_ROLES',
    ['premium', 'user', 'trial'],
    'The roles whose users may trust devices, between commas; a user needs to have no other role. Administrators always show the second factor unless `admin` is among them.',
    (role) => ((ROLES as readonly string[]).includes(role) ? undefined : `must be of ${ROLES.join(', ')}`),
  ),
};

/** A check by a parser that throws what continues a sentence starting with the setting's name. */
function problemOf(parse: (text: string) => unknown): (text: string) => string | undefined {
  return (text) => {
    try {
      parse(text);
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  };
}
