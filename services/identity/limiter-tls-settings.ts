import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { ClientTls } from '../../clients/grpc/tls-credentials.ts';
import { choiceSetting, InvalidSettings, type SettingValues } from '../../runtime/settings.ts';
import { pemSetting } from '../../runtime/tls-pem-setting.ts';

/** How identity speaks TLS to the rate limiter. */
export const limiterTlsSettings = {
  rateLimitTls: choiceSetting(
    'RATELIMIT_TLS',
    'off',
    ['off', 'on'],
    'Whether the rate limiter is spoken to over TLS 1.2 or newer. Its certificate must be for the host of RATELIMIT_ADDRESS.',
  ),
  rateLimitTlsCa: pemSetting(
    'RATELIMIT_TLS_CA_FILE',
    'File with the certificates (PEM) of the authorities that the certificate of the rate limiter may come from. Unset: those that Node knows. Read at the start, as are the two below.',
    'certificates',
    (pem) => new X509Certificate(pem),
  ),
  rateLimitTlsCert: pemSetting(
    'RATELIMIT_TLS_CERT_FILE',
    'File with the certificate (PEM) that identity shows to the rate limiter, where it asks for one.',
    'a certificate',
    (pem) => new X509Certificate(pem),
  ),
  rateLimitTlsKey: pemSetting(
    'RATELIMIT_TLS_KEY_FILE',
    'File with the private key (PEM, not encrypted) of RATELIMIT_TLS_CERT_FILE.',
    'a private key',
    (pem) => createPrivateKey(pem),
  ),
};

/** Values of {@link limiterTlsSettings}. */
export type LimiterTlsSettings = SettingValues<typeof limiterTlsSettings>;

/**
 * What the rate limiter's client speaks TLS with; undefined where it speaks cleartext.
 *
 * @throws InvalidSettings where the settings contradict each other.
 */
export function limiterTls(values: LimiterTlsSettings): ClientTls | undefined {
  const { rateLimitTlsCa: ca, rateLimitTlsCert: cert, rateLimitTlsKey: key } = values;
  if (values.rateLimitTls === 'off') {
    const given = {
      RATELIMIT_TLS_CA_FILE: ca,
      RATELIMIT_TLS_CERT_FILE: cert,
      RATELIMIT_TLS_KEY_FILE: key,
    };
    const problems = Object.entries(given)
      .filter(([, content]) => content !== undefined)
      .map(([name]) => `${name} is for RATELIMIT_TLS=on only`);
    if (problems.length > 0) throw new InvalidSettings(problems);
    return undefined;
  }
  if (cert !== undefined && key === undefined) {
    throw new InvalidSettings(['RATELIMIT_TLS_KEY_FILE must be set where RATELIMIT_TLS_CERT_FILE is']);
  }
  if (cert === undefined && key !== undefined) {
    throw new InvalidSettings(['RATELIMIT_TLS_CERT_FILE must be set where RATELIMIT_TLS_KEY_FILE is']);
  }
  if (cert !== undefined && key !== undefined && !isPair(cert, key)) {
    throw new InvalidSettings([
      'RATELIMIT_TLS_KEY_FILE must hold the private key of the certificate in RATELIMIT_TLS_CERT_FILE',
    ]);
  }
  return { ca, cert, key };
}

function isPair(cert: string, key: string): boolean {
  return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
}
