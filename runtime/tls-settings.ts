import { choiceSetting, InvalidSettings, type SettingValues, textSetting } from './settings.ts';
import { checkTlsFiles, InvalidTlsFiles, readTlsFiles } from './tls-files.ts';

/** TLS of the ports, for both services. */
export const tlsSettings = {
  tlsCertFile: textSetting(
    'TLS_CERT_FILE',
    undefined,
    'File with the certificate (PEM) that both ports show, then those of the authorities between it and the root. Set: both ports speak TLS only. Read again when it changes, as are the other TLS files; docs/tls.md.',
  ),
  tlsKeyFile: textSetting(
    'TLS_KEY_FILE',
    undefined,
    'File with the private key (PEM, not encrypted) of TLS_CERT_FILE.',
  ),
  tlsClientAuth: choiceSetting(
    'TLS_CLIENT_AUTH',
    'off',
    ['off', 'optional', 'required'],
    'Whether callers show a certificate: `required` lets in no connection without one that TLS_CLIENT_CA_FILE vouches for, `optional` also those without any, `off` asks for none. With `required` health probes need one too.',
  ),
  tlsClientCaFile: textSetting(
    'TLS_CLIENT_CA_FILE',
    undefined,
    'File with the certificates (PEM) of the authorities that certificates of callers may come from. Required unless TLS_CLIENT_AUTH=off.',
  ),
  tlsMinVersion: choiceSetting(
    'TLS_MIN_VERSION',
    '1.2',
    ['1.2', '1.3'],
    'The least version of TLS that both ports speak.',
  ),
};

/** Values of {@link tlsSettings}. */
export type TlsSettings = SettingValues<typeof tlsSettings>;

/** How ports speak TLS. The files are read when a port opens, and again when they change. */
export interface TlsOptions {
  readonly certFile: string;
  readonly keyFile: string;
  /** Undefined where clients are asked for no certificate. */
  readonly clientCaFile: string | undefined;
  readonly clientAuth: 'off' | 'optional' | 'required';
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
}

/**
 * How the ports are to speak TLS; undefined where they are not.
 *
 * @throws InvalidSettings naming the variables that contradict each other, or whose file can't be used.
 */
export function tlsOptions(values: TlsSettings): TlsOptions | undefined {
  const problems = contradictions(values);
  if (problems.length > 0) throw new InvalidSettings(problems);
  const { tlsCertFile: certFile, tlsKeyFile: keyFile, tlsClientAuth: clientAuth } = values;
  if (certFile === undefined || keyFile === undefined) return undefined;
  const options: TlsOptions = {
    certFile,
    keyFile,
    clientCaFile: values.tlsClientCaFile,
    clientAuth,
    minVersion: `TLSv${values.tlsMinVersion}`,
  };
  try {
    checkTlsFiles(readTlsFiles(options));
  } catch (error) {
    if (error instanceof InvalidTlsFiles) throw new InvalidSettings([error.message]);
    throw error;
  }
  return options;
}

function contradictions(values: TlsSettings): string[] {
  const { tlsCertFile, tlsKeyFile, tlsClientAuth, tlsClientCaFile, tlsMinVersion } = values;
  if (tlsCertFile !== undefined && tlsKeyFile === undefined) {
    return ['TLS_KEY_FILE must be set where TLS_CERT_FILE is'];
  }
  if (tlsCertFile === undefined && tlsKeyFile !== undefined) {
    return ['TLS_CERT_FILE must be set where TLS_KEY_FILE is'];
  }
  const asksForCertificate = tlsClientAuth !== 'off';
  if (tlsCertFile === undefined) {
    // Whoever sets these believes that the ports speak TLS.
    return [
      ...(asksForCertificate ? ['TLS_CLIENT_AUTH'] : []),
      ...(tlsClientCaFile === undefined ? [] : ['TLS_CLIENT_CA_FILE']),
      ...(tlsMinVersion === '1.2' ? [] : ['TLS_MIN_VERSION']),
    ].map((name) => `${name} needs TLS_CERT_FILE and TLS_KEY_FILE`);
  }
  if (asksForCertificate && tlsClientCaFile === undefined) {
    return [`TLS_CLIENT_CA_FILE must be set when TLS_CLIENT_AUTH=${tlsClientAuth}`];
  }
  if (!asksForCertificate && tlsClientCaFile !== undefined) {
    return ['TLS_CLIENT_CA_FILE is for TLS_CLIENT_AUTH=optional or required only'];
  }
  return [];
}
