import type { AccessRequirement, OriginalRequest } from './access.ts';
import { pathPattern, pathReadings } from './request-path.ts';
import { stricter } from './stricter.ts';

/** Requests, and what is required of them. */
export interface AccessRule {
  /** Lower case; `*.example.com` stands for all hosts below example.com. Undefined: any. */
  readonly hosts: readonly string[] | undefined;
  /** Upper case. Undefined: any. */
  readonly methods: readonly string[] | undefined;
  /** Exact, or a prefix with a `*` at its end; see pathPattern(). Undefined: any. */
  readonly paths: readonly string[] | undefined;
  readonly requirement: AccessRequirement;
}

export interface AccessRulesOptions {
  /** The first that matches holds. */
  readonly rules: readonly AccessRule[];
  /** Where none matches, and the gateway requires nothing of its own. */
  readonly fallback: AccessRequirement;
}

/** What a rule matches, compared in one way. */
interface Patterns {
  readonly methods: readonly string[] | undefined;
  /** Undefined: any path. */
  readonly exact: ReadonlySet<string> | undefined;
  readonly prefixes: readonly string[];
}

interface CompiledRule {
  readonly rule: AccessRule;
  readonly asWritten: Patterns;
  readonly tolerant: Patterns;
}

/**
 * What requests to other services require.
 *
 * A request is held to the first rule that matches it as it is written and to the first that does for an upstream which
 * tells neither upper case from lower nor `/admin/` from `/admin`, and answers HEAD as it does GET (Express, for one).
 */
export class AccessRules {
  readonly #rules: readonly CompiledRule[];
  readonly #fallback: AccessRequirement;
  readonly #goByPath: boolean;
  readonly #goByHost: boolean;

  /** @throws RangeError for a path that is none */
  constructor({ rules, fallback }: AccessRulesOptions) {
    this.#rules = rules.map(compiled);
    this.#fallback = fallback;
    this.#goByPath = rules.some(({ paths }) => paths !== undefined);
    this.#goByHost = rules.some(({ hosts }) => hosts !== undefined);
  }

  /**
   * What a request requires: of the rule that matches, together with what the gateway requires of its route, or else of
   * the gateway alone. Where an upstream may read the path in several ways, all that they require.
   *
   * @returns `unsafe_path` where rules go by path, and this one can't be read safely; `unsafe_host` where they go by host, and
   *   there is none
   */
  requirementOf(
    request: Pick<OriginalRequest, 'host' | 'method' | 'path'>,
    gateway: AccessRequirement | undefined,
  ): AccessRequirement | 'unsafe_path' | 'unsafe_host' {
    if (this.#goByHost && request.host === '') return 'unsafe_host';
    const readings = this.#goByPath ? pathReadings(request.path) : [''];
    if (readings === undefined) return 'unsafe_path';
    const found = new Set<CompiledRule | undefined>();
    for (const path of readings) {
      found.add(this.#rules.find(({ rule, asWritten }) => matches(rule, asWritten, request, path)));
      const bare = tolerantPath(path);
      found.add(this.#rules.find(({ rule, tolerant }) => matches(rule, tolerant, request, bare)));
    }
    const required = [...found]
      .map((one) => one?.rule.requirement ?? gateway ?? this.#fallback)
      .reduce(stricter);
    return gateway === undefined ? required : stricter(required, gateway);
  }
}

function matches(
  { hosts }: AccessRule,
  { methods, exact, prefixes }: Patterns,
  { host, method }: Pick<OriginalRequest, 'host' | 'method'>,
  path: string,
): boolean {
  return (
    (methods === undefined || methods.includes(method)) &&
    (hosts === undefined || hosts.some((pattern) => isHost(host, pattern))) &&
    (exact === undefined || exact.has(path) || prefixes.some((prefix) => path.startsWith(prefix)))
  );
}

function compiled(rule: AccessRule): CompiledRule {
  const patterns = rule.paths?.map((path) => {
    const pattern = pathPattern(path);
    if (pattern === undefined) throw new RangeError('the path of an access rule is none');
    return pattern;
  });
  const exact = patterns?.filter(({ isPrefix }) => !isPrefix).map(({ text }) => text);
  const prefixes = (patterns ?? []).filter(({ isPrefix }) => isPrefix).map(({ text }) => text);
  const { methods } = rule;
  return {
    rule,
    asWritten: { methods, exact: exact && new Set(exact), prefixes },
    tolerant: {
      methods: methods?.includes('GET') ? [...methods, 'HEAD'] : methods,
      exact: exact && new Set(exact.map(tolerantPath)),
      prefixes: prefixes.map((prefix) => prefix.toLowerCase()),
    },
  };
}

/** With a slash at its end, so that `/admin/*` has `/admin` too. */
function tolerantPath(path: string): string {
  const lower = path.toLowerCase();
  return lower.endsWith('/') ? lower : `${lower}/`;
}

function isHost(host: string, pattern: string): boolean {
  if (!pattern.startsWith('*')) return host === pattern;
  const suffix = pattern.slice(1);
  return host.length > suffix.length && host.endsWith(suffix);
}
