/** One setting: the environment variable it is read from, what it means, and how its text is read. */
export interface Setting<T> {
  /** Name of the environment variable. */
  readonly env: string;
  /** What it does, with its unit and range, for the configuration reference. */
  readonly doc: string;
  /** The value where the variable is unset or empty; undefined where there is none. */
  readonly fallback: T;
  /** True where the value must never be shown. */
  readonly secret: boolean;
  /** Reads the text; throws an Error whose message completes the sentence "NAME …". */
  readonly parse: (text: string) => T;
}

type Definitions = Readonly<Record<string, Setting<unknown>>>;

/** The values of a table of settings, by the table's own keys. */
export type SettingValues<D extends Definitions> = {
  readonly [K in keyof D]: D[K] extends Setting<infer T> ? T : never;
};

/** The environment holds values that can't be used. `problems` has one line each, starting with the variable's name. */
export class InvalidSettings extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('; '));
    this.name = 'InvalidSettings';
    this.problems = problems;
  }
}

/**
 * Reads a table of settings from an environment. An unset or empty variable takes its fallback; a value that can't be
 * parsed is never replaced by one.
 *
 * @throws InvalidSettings naming every variable that is wrong.
 */
export function readSettings<D extends Definitions>(
  definitions: D,
  env: Readonly<Record<string, string | undefined>>,
): SettingValues<D> {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries(definitions)) {
    const text = env[setting.env]?.trim();
    if (text === undefined || text === '') {
      values[key] = setting.fallback;
      continue;
    }
    try {
      values[key] = setting.parse(text);
    } catch (error) {
      problems.push(`${setting.env} ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (problems.length > 0) throw new InvalidSettings(problems);
  return values as SettingValues<D>;
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}

/** A whole number from `min` to `max`. */
export function integerSetting(
  env: string,
  fallback: number,
  range: { readonly min: number; readonly max: number },
  doc: string,
): Setting<number> {
  const parse = (text: string): number => {
    const value = Number(text);
    if (!/^-?\d+$/.test(text) || value < range.min || value > range.max) {
      throw new Error(`must be a whole number from ${range.min} to ${range.max}, not ${quoted(text)}`);
    }
    return value;
  };
  return { env, doc, fallback, secret: false, parse };
}

/** A TCP port, 0 to 65535; 0 lets the system choose. */
export function portSetting(env: string, fallback: number, doc: string): Setting<number> {
  return integerSetting(env, fallback, { min: 0, max: 65_535 }, doc);
}

/** `true` or `false` (also `1`/`0`, `yes`/`no`, `on`/`off`). */
export function booleanSetting(env: string, fallback: boolean, doc: string): Setting<boolean> {
  const parse = (text: string): boolean => {
    if (/^(true|1|yes|on)$/i.test(text)) return true;
    if (/^(false|0|no|off)$/i.test(text)) return false;
    throw new Error(`must be true or false, not ${quoted(text)}`);
  };
  return { env, doc, fallback, secret: false, parse };
}

/** One of a few words. */
export function choiceSetting<const C extends readonly string[]>(
  env: string,
  fallback: C[number],
  choices: C,
  doc: string,
): Setting<C[number]> {
  const parse = (text: string): C[number] => {
    if (choices.includes(text)) return text;
    throw new Error(`must be one of ${choices.join(', ')}, not ${quoted(text)}`);
  };
  return { env, doc, fallback, secret: false, parse };
}

/** Any text, checked by `check`, which answers what is wrong or undefined. */
export function textSetting<F extends string | undefined>(
  env: string,
  fallback: F,
  doc: string,
  check?: (text: string) => string | undefined,
): Setting<string | F> {
  const parse = (text: string): string => {
    const problem = check?.(text);
    if (problem !== undefined) throw new Error(`${problem}, not ${quoted(text)}`);
    return text;
  };
  return { env, doc, fallback, secret: false, parse };
}

/**
 * A list of texts between commas, each checked by `check`, which answers what is wrong or undefined. `fallback` where there
 * is none.
 */
export function listSetting(
  env: string,
  fallback: readonly string[],
  doc: string,
  check?: (part: string) => string | undefined,
): Setting<readonly string[]> {
  const parse = (text: string): readonly string[] => {
    const parts = text.split(',').map((part) => part.trim());
    const kept = parts.filter((part) => part !== '');
    for (const part of kept) {
      const problem = check?.(part);
      if (problem !== undefined) throw new Error(`${problem}, not ${quoted(part)}`);
    }
    return kept.length > 0 ? kept : fallback;
  };
  return { env, doc, fallback, secret: false, parse };
}

/**
 * A URL of one of the given schemes that names a host (also as `?host=`), checked further by `check`, which answers
 * what is wrong or undefined. It may hold a password, so neither value nor parse error ever shows it.
 */
export function urlSetting<F extends string | undefined>(
  env: string,
  fallback: F,
  schemes: readonly string[],
  doc: string,
  check?: (url: URL) => string | undefined,
): Setting<string | F> {
  const parse = (text: string): string => {
    // Not new URL in a try: its error holds the text.
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url === undefined || !schemes.includes(url.protocol.slice(0, -1))) {
      throw new Error(`must be a URL that starts with ${schemes.map((name) => `${name}://`).join(' or ')}`);
    }
    if (!isPercentEncoded(text)) {
      throw new Error('must have each % of a user name or password written as %25');
    }
    if (url.hostname === '' && !url.searchParams.get('host')) throw new Error('must name a host');
    const problem = check?.(url);
    if (problem !== undefined) throw new Error(problem);
    return text;
  };
  return { env, doc, fallback, secret: true, parse };
}

/** Whether it can be decoded, as drivers do; a URL parser lets a bare % pass. */
function isPercentEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** A secret, read by `parse`, whose errors must not repeat the text. */
export function secretSetting<T>(
  env: string,
  doc: string,
  parse: (text: string) => T,
): Setting<T | undefined> {
  return { env, doc, fallback: undefined, secret: true, parse };
}
