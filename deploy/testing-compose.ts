import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

/** A container as docker-compose.yml describes it, as far as tests look at it. */
export interface ComposeService {
  readonly image: string;
  readonly build?: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string | null>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: Readonly<Record<string, unknown>>;
  readonly restart?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
}

/** docker-compose.yml, its anchors followed and its variables not yet put in. */
export const compose = parse(
  readFileSync(fileURLToPath(new URL('../docker-compose.yml', import.meta.url)), 'utf8'),
  { merge: true },
) as { readonly services: Readonly<Record<string, ComposeService>> };

/** Names of the services that run the project's own code. */
export type OwnService = 'identity' | 'ratelimit' | 'migrate';

/**
 * The environment that Docker Compose gives a container, where .env holds these variables.
 *
 * @throws Error where one that is required is missing.
 */
export function containerEnvironment(
  name: OwnService,
  dotEnv: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  const environment = Object.entries(compose.services[name]?.environment ?? {});
  return Object.fromEntries(
    environment.map(([key, value]) => [key, value === null ? dotEnv[key] : interpolated(value, dotEnv)]),
  );
}

/** The forms of the Compose specification's interpolation that the file uses: `${NAME:?error}`, `${NAME:-default}`. */
export function interpolated(text: string, env: Readonly<Record<string, string | undefined>>): string {
  return text.replace(/\$\{(\w+):([?-])([^}]*)\}/g, (_, name: string, kind: string, word: string) => {
    const value = env[name];
    if (value !== undefined && value !== '') return value;
    if (kind === '-') return word;
    throw new Error(`${name} is missing: ${word}`);
  });
}
