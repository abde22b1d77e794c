import { settings as identity } from '../services/identity/config.ts';
import { settings as ratelimit } from '../services/ratelimit/config.ts';

/** An environment variable as .env.example and docs/configuration.md show it. */
export interface Variable {
  readonly env: string;
  /** What it means; a line for each service where it means another thing to each. */
  readonly doc: string;
  /** Its default; none where the variable has to be filled in. */
  readonly fallback?: unknown;
  readonly parse?: (text: string) => unknown;
  readonly secret?: boolean;
}

/** Variables of one reader. */
export interface SettingGroup {
  readonly title: 'docker compose' | 'Both services' | 'identity' | 'ratelimit' | 'npm start';
  readonly variables: readonly Variable[];
}

const compose: readonly Variable[] = [
  {
    env: 'POSTGRES_PASSWORD',
    doc: "Password of identity's role in the PostgreSQL of docker-compose.yml. Letters and digits only, because it becomes part of a URL. It is set when the database is made: to change it later, change it in the database too.",
    secret: true,
  },
  {
    env: 'POSTGRES_OWNER_PASSWORD',
    doc: 'Password of the role that owns the database and runs the migrations; identity never has it. As POSTGRES_PASSWORD.',
    secret: true,
  },
  {
    env: 'REDIS_PASSWORD',
    doc: 'Password of the Redis of docker-compose.yml. Letters and digits only.',
    secret: true,
  },
];

const start: readonly Variable[] = [
  {
    env: 'OPTIX_DATA_DIR',
    doc: 'Where `npm start` keeps the data of its embedded stores. Unset: .optix here, or for root a directory under /var/lib/optix.',
    fallback: undefined,
  },
];

/** Every setting of both services, each once, and what docker-compose.yml and `npm start` read besides. */
export function settingGroups(): readonly SettingGroup[] {
  const [ofIdentity, ofRatelimit] = [Object.values(identity), Object.values(ratelimit)];
  const names = new Set(ofRatelimit.map(({ env }) => env));
  const shared = new Set(ofIdentity.map(({ env }) => env).filter((env) => names.has(env)));
  const both = ofIdentity.filter(({ env }) => shared.has(env)).map((setting) => merged(setting, ofRatelimit));
  const own = (settings: readonly Variable[]) => settings.filter(({ env }) => !shared.has(env));
  return [
    { title: 'docker compose', variables: compose },
    { title: 'Both services', variables: both },
    { title: 'identity', variables: own(ofIdentity) },
    { title: 'ratelimit', variables: own(ofRatelimit) },
    { title: 'npm start', variables: start },
  ];
}

/** A setting under one name that may mean another thing to each service. */
function merged(setting: Variable, others: readonly Variable[]): Variable {
  const other = others.find(({ env }) => env === setting.env);
  if (other === undefined || other.doc === setting.doc) return setting;
  return { ...setting, doc: `identity: ${setting.doc}\nratelimit: ${other.doc}` };
}

/**
 * What a setting takes, in the words it refuses other values with: nowhere else are they so surely right. Starts with
 * "must"; '' where it takes anything.
 */
export function demandOf({ parse }: Variable): string {
  if (parse === undefined) return '';
  const impossible = '\0';
  try {
    parse(impossible);
    return '';
  } catch (error) {
    return (error as Error).message.replace(`, not ${JSON.stringify(impossible)}`, '');
  }
}
