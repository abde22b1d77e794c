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

interface CompiledRule {
  readonly rule: AccessRule;
  readonly exact: ReadonlySet<string>;
  readonly prefixes: readonly string[];
}

/** What requests to other services require. */
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
    if (!this.#goByPath) return this.#of(request, '', gateway);
    const readings = pathReadings(request.path);
    if (readings === undefined) return 'unsafe_path';
    return readings.map((path) => this.#of(request, path, gateway)).reduce(stricter);
  }

  #of(
    { host, method }: Pick<OriginalRequest, 'host' | 'method'>,
    path: string,
    gateway: AccessRequirement | undefined,
  ): AccessRequirement {
    const found = this.#rules.find(
      ({ rule, exact, prefixes }) =>
        (rule.methods === undefined || rule.methods.includes(method)) &&
        (rule.hosts === undefined || rule.hosts.some((pattern) => isHost(host, pattern))) &&
        (rule.paths === undefined || exact.has(path) || prefixes.some((prefix) => path.startsWith(prefix))),
    );
    if (found === undefined) return gateway ?? this.#fallback;
    const { requirement } = found.rule;
    return gateway === undefined ? requirement : stricter(requirement, gateway);
  }
}

function compiled(rule: AccessRule): CompiledRule {
  const exact = new Set<string>();
  const prefixes: string[] = [];
  for (const path of rule.paths ?? []) {
    const pattern = pathPattern(path);
    if (pattern === undefined) throw new RangeError('the path of an access rule is none');
    if (pattern.isPrefix) prefixes.push(pattern.text);
    else exact.add(pattern.text);
  }
  return { rule, exact, prefixes };
}

function isHost(host: string, pattern: string): boolean {
  if (!pattern.startsWith('*')) return host === pattern;
  const suffix = pattern.slice(1);
  return host.length > suffix.length && host.endsWith(suffix);
}
