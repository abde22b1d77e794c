import { ALL_SCOPES } from './caller.ts';

/** Instead of a scope: every known caller may. */
export const ANY_CALLER = 'any caller';

/** What a service's policy is made of. */
export interface PolicyTable {
  /** Each RPC by its full name, `optix.identity.v1.IdentityService/GetUser`, and the scope that it needs. */
  readonly rpcs: Readonly<Record<string, string>>;
  /** What a caller may do whose entry in the settings names no scopes: what a backend needs, nothing of an admin. */
  readonly defaultScopes: readonly string[];
  /** Scopes of administration whose names do not end in `.admin`. */
  readonly adminScopes?: readonly string[];
}

/** Which RPC needs which scope. One that the table does not have is nobody's. */
export class Policy {
  /** All scopes of the service. */
  readonly scopes: ReadonlySet<string>;
  readonly defaultScopes: ReadonlySet<string>;
  readonly #needs: ReadonlyMap<string, string>;
  readonly #adminScopes: ReadonlySet<string>;

  constructor({ rpcs, defaultScopes, adminScopes = [] }: PolicyTable) {
    this.#needs = new Map(Object.entries(rpcs));
    this.scopes = new Set(Object.values(rpcs).filter((scope) => scope !== ANY_CALLER));
    this.defaultScopes = new Set(defaultScopes);
    this.#adminScopes = new Set(adminScopes);
    for (const scope of [...defaultScopes, ...adminScopes]) {
      if (!this.scopes.has(scope)) throw new TypeError(`no RPC needs the scope ${scope}`);
    }
  }

  /** The RPCs of the table. */
  get rpcs(): Iterable<string> {
    return this.#needs.keys();
  }

  /** The scope that an RPC needs, or {@link ANY_CALLER}; undefined where nobody may. */
  needOf(rpc: string): string | undefined {
    return this.#needs.get(rpc);
  }

  /** Whether a scope is for administration, which a process can be told not to serve. */
  isAdmin(scope: string): boolean {
    return scope.endsWith('.admin') || this.#adminScopes.has(scope);
  }

  /** Whether a list of scopes may hold this one. */
  knows(scope: string): boolean {
    return scope === ALL_SCOPES || this.scopes.has(scope);
  }

  /** What somebody with these scopes may do. None given: the default ones. */
  grant(scopes: readonly string[] | undefined): ReadonlySet<string> {
    if (scopes === undefined) return this.defaultScopes;
    return scopes.includes(ALL_SCOPES) ? this.scopes : new Set(scopes);
  }
}
