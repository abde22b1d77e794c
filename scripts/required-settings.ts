import { InvalidSettings } from '../runtime/settings.ts';
import { readConfig as readIdentity } from '../services/identity/config.ts';
import { readConfig as readRateLimit } from '../services/ratelimit/config.ts';
import { readStackSettings } from '../stack/stack-settings.ts';
import { REQUIRED_BY_COMPOSE } from './env-example.ts';

type Environment = Readonly<Record<string, string>>;

const CALLER_KEYS = `documentation=${'0'.repeat(64)}`;

/** What a service starts with in production, and nothing more. */
const COMPLETE: readonly { readonly read: (env: Environment) => unknown; readonly env: Environment }[] = [
  {
    read: readIdentity,
    env: {
      DATABASE_URL: 'postgresql://identity:unguessable@127.0.0.1/optix',
      IDENTITY_ENCRYPTION_KEY: Buffer.alloc(32).toString('base64'),
      IDENTITY_CALLER_KEYS: CALLER_KEYS,
    },
  },
  { read: readRateLimit, env: { RATELIMIT_CALLER_KEYS: CALLER_KEYS } },
];

/**
 * When a setting has to be there, as the services themselves say: each is started without it.
 *
 * @returns for each setting that has to be there at times, when that is.
 */
export function requiredSettings(): ReadonlyMap<string, string> {
  const required = new Map<string, string[]>();
  const add = (env: string, when: string) => required.set(env, [...(required.get(env) ?? []), when]);
  for (const { read, env: complete } of COMPLETE) {
    read({ ...complete, ENVIRONMENT: 'production' });
    for (const env of Object.keys(complete)) {
      const { [env]: _, ...rest } = complete;
      if (demandFor(env, read, rest) !== undefined) {
        add(env, 'always');
        continue;
      }
      const demand = demandFor(env, read, { ...rest, ENVIRONMENT: 'production' });
      if (demand === undefined) throw new Error(`${env} is required by nobody`);
      const other = /, or (\w+)$/.exec(demand)?.[1];
      add(env, other === undefined ? 'in production' : `in production, or ${other}`);
    }
  }
  for (const env of ['DATABASE_URL', 'REDIS_URL']) {
    if (demandFor(env, readStackSettings, { ENVIRONMENT: 'production' }) !== undefined) {
      add(env, 'by `npm start` in production');
    }
  }
  for (const env of REQUIRED_BY_COMPOSE) add(env, 'by docker compose');
  return new Map([...required].map(([env, times]) => [env, times.join('; ')]));
}

/** What reading the settings says about one of them; undefined where nothing is wrong with it. */
function demandFor(name: string, read: (env: Environment) => unknown, env: Environment): string | undefined {
  try {
    read(env);
    return undefined;
  } catch (error) {
    if (!(error instanceof InvalidSettings)) throw error;
    return error.problems.find((problem) => problem.startsWith(`${name} `));
  }
}
