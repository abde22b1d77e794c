import { readYamlDocument, type YamlProblem } from '../../../runtime/yaml-document.ts';
import { RULE_NAME } from '../domain/rule.ts';
import { FALLBACK_RULE } from '../domain/rule-set.ts';

/** Tells the endpoint that a request asks for; undefined for one that no limiter is asked about. */
export type EndpointOf = (method: string, path: string) => string | undefined;

/** The map can't be used. */
export class InvalidEndpointMap extends Error {
  override name = 'InvalidEndpointMap';
  /** One line each, `<line>:<column> <field> <what>`. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

interface MapEntry {
  readonly method: string | undefined;
  /** What stands between the stars. */
  readonly parts: readonly string[];
  readonly endpoint: string | undefined;
}

const PATTERN = /^(?:([A-Za-z-]{1,32}) )?([/*]\S*)$/;
const ENDPOINT_FAULT = 'must be an endpoint (1 to 128 of A-Z a-z 0-9 _ . : / -) or null';

/**
 * Reads which paths belong to which endpoint. The first pattern that matches holds; `null` leaves a request out.
 *
 *     endpoints:
 *       POST /auth/login: auth_login
 *       /orders/*: orders       # each * stands for any text
 *       /static/*: null
 *     default: api_default      # where nothing matches; this is the default
 *
 * @throws InvalidEndpointMap with all that is wrong
 */
export function readEndpointMap(text: string): EndpointOf {
  const { value, problems } = readYamlDocument(text, checkMap);
  if (value === undefined) throw new InvalidEndpointMap(problems);
  const { entries, otherwise } = value;
  return (method, path) => {
    const entry = entries.find(
      (each) => (each.method === undefined || each.method === method) && matches(each.parts, path),
    );
    return entry === undefined ? otherwise : entry.endpoint;
  };
}

function checkMap(data: unknown) {
  const problems: YamlProblem[] = [];
  const entries: MapEntry[] = [];
  if (!isRecord(data) || !isRecord(data['endpoints'])) {
    problems.push({ path: ['endpoints'], description: 'must be a map of patterns to endpoints' });
    return { value: undefined, problems };
  }
  for (const [pattern, endpoint] of Object.entries(data['endpoints'])) {
    const path = ['endpoints', pattern];
    const [, method, target] = PATTERN.exec(pattern) ?? [];
    if (target === undefined) {
      problems.push({ path, description: 'must be a path, or a method and a path; * stands for any text' });
    } else if (!isEndpoint(endpoint)) {
      problems.push({ path, description: ENDPOINT_FAULT });
    } else {
      entries.push({
        method: method?.toUpperCase(),
        parts: target.split(/\*+/),
        endpoint: endpoint ?? undefined,
      });
    }
  }
  const { default: otherwise = FALLBACK_RULE } = data;
  for (const name of Object.keys(data)) {
    if (name !== 'endpoints' && name !== 'default') {
      problems.push({ path: [name], description: 'is no known field' });
    }
  }
  if (isEndpoint(otherwise)) return { value: { entries, otherwise: otherwise ?? undefined }, problems };
  problems.push({ path: ['default'], description: ENDPOINT_FAULT });
  return { value: undefined, problems };
}

function isRecord(data: unknown): data is Readonly<Record<string, unknown>> {
  return typeof data === 'object' && data !== null && !Array.isArray(data);
}

function isEndpoint(value: unknown): value is string | null {
  return value === null || (typeof value === 'string' && RULE_NAME.test(value));
}

/** No regular expression: several stars would make it try ways without end on a path made for that. */
function matches(parts: readonly string[], path: string): boolean {
  const [first = ''] = parts;
  if (parts.length === 1) return path === first;
  const last = parts.at(-1) as string;
  const end = path.length - last.length;
  let from = first.length;
  if (!path.startsWith(first) || !path.endsWith(last)) return false;
  for (const part of parts.slice(1, -1)) {
    const at = path.indexOf(part, from);
    if (at === -1) return false;
    from = at + part.length;
  }
  return from <= end;
}
