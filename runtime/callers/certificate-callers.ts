import type { ClientCertificate } from '../client-certificate.ts';
import type { Caller } from './caller.ts';

/** One thing by which a certificate is known to be a caller's. */
export interface CertificateIdentity {
  readonly kind: 'uri' | 'dns' | 'common_name' | 'sha256';
  readonly value: string;
}

/**
 * Callers by the names in their verified certificate (or its fingerprint). Names are compared whole: a certificate for
 * `*.example` is nobody's but that of who is configured so.
 */
export class CertificateCallers {
  readonly #byIdentity = new Map<string, Caller>();

  add(identity: CertificateIdentity, caller: Caller): void {
    this.#byIdentity.set(certificateIdentityKey(identity), caller);
  }

  /** Undefined where the certificate is nobody's, could be that of two callers, or has expired. */
  find({ uris, dnsNames, commonName, fingerprint256, endsAt }: ClientCertificate): Caller | undefined {
    // So written that an end which can't be read is one.
    if (!(endsAt > Date.now())) return undefined;
    const identities: CertificateIdentity[] = [
      { kind: 'sha256', value: fingerprint256 },
      ...uris.map((value) => ({ kind: 'uri', value }) as const),
      ...dnsNames.map((value) => ({ kind: 'dns', value }) as const),
    ];
    if (commonName !== null) identities.push({ kind: 'common_name', value: commonName });
    const found = new Set<Caller>();
    for (const identity of identities) {
      const caller = this.#byIdentity.get(certificateIdentityKey(identity));
      if (caller !== undefined) found.add(caller);
    }
    const [caller, ...others] = found;
    return others.length === 0 ? caller : undefined;
  }
}

/** Equal for what is the same identity: case counts, except in DNS names (RFC 4343) and hex digits. */
export function certificateIdentityKey({ kind, value }: CertificateIdentity): string {
  return `${kind}:${kind === 'dns' || kind === 'sha256' ? value.toLowerCase() : value}`;
}
