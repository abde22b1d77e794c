import { choiceSetting, integerSetting, textSetting } from '../../../runtime/settings.ts';

/** Access tokens, the keys they are signed with, refresh tokens and sessions. */
export const tokenSettings = {
  tokenIssuer: textSetting(
    'TOKEN_ISSUER',
    'http://127.0.0.1:8081',
    'The issuer (`iss`) that access tokens name: the URL under which callers know identity.',
    issuerProblem,
  ),
  tokenAudience: textSetting(
    'TOKEN_AUDIENCE',
    'optix',
    'The audience (`aud`) that access tokens name: the backends that take them.',
  ),
  accessTokenLifetimeSeconds: integerSetting(
    'ACCESS_TOKEN_LIFETIME_SECONDS',
    900,
    { min: 30, max: 86_400 },
    'How long an access token holds, in seconds.',
  ),
  tokenSigningAlgorithm: choiceSetting(
    'TOKEN_SIGNING_ALGORITHM',
    'EdDSA',
    ['EdDSA', 'ES256'],
    'How new signing keys sign: Ed25519 or ECDSA on P-256. Takes effect with the next rotation.',
  ),
  signingKeyRotationSeconds: integerSetting(
    'SIGNING_KEY_ROTATION_SECONDS',
    2_592_000,
    { min: 0, max: 31_536_000 },
    'Age at which the signing key is replaced by the next one, in seconds; 0: by RotateSigningKeys only.',
  ),
  refreshGraceSeconds: integerSetting(
    'REFRESH_GRACE_SECONDS',
    10,
    { min: 0, max: 300 },
    'How long a refresh token that was just used gets the identical answer again, in seconds. Later its use is taken for theft.',
  ),
  sessionLifetimeSeconds: integerSetting(
    'SESSION_LIFETIME_SECONDS',
    2_592_000,
    { min: 60, max: 31_536_000 },
    'How long a session and its refresh token hold at most, in seconds.',
  ),
  sessionIdleTimeoutSeconds: integerSetting(
    'SESSION_IDLE_TIMEOUT_SECONDS',
    86_400,
    { min: 60, max: 31_536_000 },
    'After this long without use a session ends, in seconds. Longer than access tokens hold, as backends that verify them by themselves show no use in between.',
  ),
  sessionsPerUser: integerSetting(
    'SESSIONS_PER_USER',
    20,
    { min: 1, max: 1000 },
    'Sessions a user may have at a time; one more ends the oldest.',
  ),
};

/** An issuer is a URL without query and fragment (RFC 8414, section 2); http too, for development. */
function issuerProblem(text: string): string | undefined {
  return /^https?:\/\/[^\s?#]+$/i.test(text) && URL.canParse(text)
    ? undefined
    : 'must be a URL that starts with https:// or http://, without a query or a fragment';
}
