import type { JSONWebKeySet } from 'jose';
import type { YamlProblem } from '../yaml-document.ts';
import { callersSchema, type WrittenCallers } from './callers-schema.ts';
import { type CertificateIdentity, certificateIdentityKey } from './certificate-callers.ts';
import type { Policy } from './policy.ts';
import { readYaml } from './yaml-text.ts';

/** Where the keys of an issuer are. */
export type KeySource =
  | { readonly file: string }
  | { readonly url: string }
  | { readonly keys: JSONWebKeySet };

/** A callers file, its content checked. */
export interface CallersDocument {
  readonly callers: readonly {
    readonly name: string;
    readonly scopes: readonly string[];
    /** SHA-256 of API keys, in lower-case hex. */
    readonly apiKeys: readonly string[];
    readonly certificates: readonly CertificateIdentity[];
    readonly serviceTokens: readonly { readonly issuer: string; readonly subject: string }[];
  }[];
  readonly issuers: readonly {
    readonly issuer: string;
    readonly audience: string | undefined;
    readonly source: KeySource;
  }[];
  /** RPCs that only these callers may use. */
  readonly policy: readonly { readonly rpc: string; readonly callers: readonly string[] }[];
}

/** Reads a callers file against the policy of a service. Answers the document, or all that is wrong. */
export function readCallersDocument(
  text: string,
  policy: Policy,
): { readonly document: CallersDocument | undefined; readonly problems: readonly string[] } {
  const { value, problems } = readYaml(text, callersSchema, (written) => [
    ...callerProblems(written, policy),
    ...issuerProblems(written),
    ...policyProblems(written, policy),
  ]);
  return { document: value === undefined ? undefined : documentOf(value), problems };
}

function documentOf({ callers, issuers, policy }: WrittenCallers): CallersDocument {
  return {
    callers: callers.map((caller) => ({
      name: caller.name,
      scopes: caller.scopes,
      apiKeys: caller.api_keys,
      certificates: caller.certificates.map(identityOf),
      serviceTokens: caller.service_tokens,
    })),
    issuers: issuers.map(({ issuer, audience, jwks_file: file, jwks_url: url, keys = [] }) => {
      const inFile = url === undefined ? { keys: { keys } } : { url };
      return { issuer, audience, source: file === undefined ? inFile : { file } };
    }),
    policy: Object.entries(policy).map(([rpc, narrowed]) => ({ rpc, callers: narrowed.callers })),
  };
}

function identityOf(written: WrittenCallers['callers'][number]['certificates'][number]): CertificateIdentity {
  const found = Object.entries(written).find(([, value]) => value !== undefined);
  const [kind, value] = found as [CertificateIdentity['kind'], string];
  return { kind, value };
}

/** A credential, or a name, that is there twice would be that of whoever stands last. */
function callerProblems({ callers, issuers }: WrittenCallers, policy: Policy): YamlProblem[] {
  const problems: YamlProblem[] = [];
  const once = new Once(problems);
  const known = new Set(issuers.map(({ issuer }) => issuer));
  for (const [index, caller] of callers.entries()) {
    const at = (...path: readonly PropertyKey[]) => ['callers', index, ...path];
    once.take(`name ${caller.name}`, at('name'));
    for (const [place, scope] of caller.scopes.entries()) {
      if (!policy.knows(scope)) problems.push({ path: at('scopes', place), description: NO_SCOPE });
    }
    for (const [place, digest] of caller.api_keys.entries())
      once.take(`key ${digest}`, at('api_keys', place));
    for (const [place, written] of caller.certificates.entries()) {
      once.take(`certificate ${certificateIdentityKey(identityOf(written))}`, at('certificates', place));
    }
    for (const [place, { issuer, subject }] of caller.service_tokens.entries()) {
      const path = at('service_tokens', place);
      if (!known.has(issuer)) {
        problems.push({ path: [...path, 'issuer'], description: 'is not one of the issuers' });
      }
      once.take(JSON.stringify(['token', issuer, subject]), path);
    }
  }
  return problems;
}

function issuerProblems({ issuers }: WrittenCallers): YamlProblem[] {
  const problems: YamlProblem[] = [];
  const once = new Once(problems);
  for (const [index, { issuer }] of issuers.entries()) once.take(issuer, ['issuers', index, 'issuer']);
  return problems;
}

function policyProblems({ policy: narrowed }: WrittenCallers, policy: Policy): YamlProblem[] {
  return Object.keys(narrowed)
    .filter((rpc) => policy.needOf(rpc) === undefined)
    .map((rpc) => ({ path: ['policy', rpc], description: 'is no RPC of this service' }));
}

const NO_SCOPE = 'is no scope of this service';

class Once {
  readonly #taken = new Set<string>();
  readonly #problems: YamlProblem[];

  constructor(problems: YamlProblem[]) {
    this.#problems = problems;
  }

  take(what: string, path: readonly PropertyKey[]): void {
    if (this.#taken.has(what)) this.#problems.push({ path, description: 'is there twice' });
    this.#taken.add(what);
  }
}
