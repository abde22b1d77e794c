import type { Caller } from './caller.ts';
import type { CallersDocument } from './callers-document.ts';
import { CertificateCallers } from './certificate-callers.ts';
import type { KeySet } from './key-set.ts';
import type { Policy } from './policy.ts';
import { ServiceTokens } from './service-tokens.ts';

/** What a callers file makes of a service's policy. */
export interface FileCallersOptions {
  readonly policy: Policy;
  /** The audience of service tokens where an issuer has none of its own. */
  readonly audience: string;
  /** The keys of an issuer, by its name. */
  readonly keySet: (issuer: string) => KeySet;
}

/** The callers of one state of the callers file. */
export class FileCallers {
  /** By the SHA-256 of an API key, in hex. */
  readonly keys: ReadonlyMap<string, Caller>;
  readonly certificates: CertificateCallers;
  readonly tokens: ServiceTokens | undefined;
  readonly #narrowed: ReadonlyMap<string, ReadonlySet<string>>;

  constructor(document: CallersDocument, { policy, audience, keySet }: FileCallersOptions) {
    const keys = new Map<string, Caller>();
    const certificates = new CertificateCallers();
    const subjects = new Map<string, Map<string, Caller>>();
    for (const entry of document.callers) {
      const base = { name: entry.name, scopes: policy.grant(entry.scopes) };
      for (const digest of entry.apiKeys) keys.set(digest, { ...base, credential: 'api_key' });
      // One object for all: a certificate with two of a caller's names is not that of two callers.
      const byCertificate: Caller = { ...base, credential: 'certificate' };
      for (const identity of entry.certificates) certificates.add(identity, byCertificate);
      for (const { issuer, subject } of entry.serviceTokens) {
        const ofIssuer = subjects.get(issuer) ?? new Map<string, Caller>();
        subjects.set(issuer, ofIssuer.set(subject, { ...base, credential: 'service_token' }));
      }
    }
    const issuers = document.issuers.map(({ issuer, audience: own }) => ({
      issuer,
      audience: own ?? audience,
      keys: keySet(issuer),
      subjects: subjects.get(issuer) ?? new Map<string, Caller>(),
    }));
    this.keys = keys;
    this.certificates = certificates;
    this.tokens = issuers.length === 0 ? undefined : new ServiceTokens(issuers);
    this.#narrowed = new Map(document.policy.map(({ rpc, callers }) => [rpc, new Set(callers)]));
  }

  /** The only callers that may use an RPC; undefined where the file does not narrow it down. */
  callersOf(rpc: string): ReadonlySet<string> | undefined {
    return this.#narrowed.get(rpc);
  }
}
