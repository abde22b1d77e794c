import { createPrivateKey, X509Certificate } from 'node:crypto';
import { type RedisTarget, singleRedis } from './redis-target.ts';
import {
  choiceSetting,
  InvalidSettings,
  type SettingValues,
  secretSetting,
  textSetting,
} from './settings.ts';
import { isExamplePassword, redisPasswordProblem, redisUrlSetting, redisUrls } from './store-urls.ts';
import { pemSetting } from './tls-pem-setting.ts';

/** The settings that name a Redis, and how to get in. `doc` says what the service uses it for. */
export function redisSettings(doc: string) {
  return {
    redisUrl: redisUrlSetting(doc),
    redisMode: choiceSetting(
      'REDIS_MODE',
      'single',
      ['single', 'sentinel', 'cluster'],
      'What REDIS_URL names: `single` one server, `sentinel` the sentinels that tell which server is the master (user, password and number are those of the master), `cluster` some nodes of a Redis Cluster.',
    ),
    redisSentinelMaster: textSetting(
      'REDIS_SENTINEL_MASTER',
      undefined,
      'What the sentinels call the master, for example `mymaster`. Required when REDIS_MODE=sentinel.',
    ),
    redisSentinelPassword: secretSetting(
      'REDIS_SENTINEL_PASSWORD',
      "The sentinels' own password, where they have one. Production refuses the passwords of examples.",
      (text) => text,
    ),
    redisTlsCa: pemSetting(
      'REDIS_TLS_CA_FILE',
      'File with the certificates (PEM) of the authorities that the certificate of Redis may come from. Unset: those that Node knows. For `rediss://`.',
      'certificates',
      (pem) => new X509Certificate(pem),
    ),
    redisTlsCert: pemSetting(
      'REDIS_TLS_CERT_FILE',
      'File with the certificate (PEM) that this service shows to Redis, where Redis asks for one. For `rediss://`.',
      'a certificate',
      (pem) => new X509Certificate(pem),
    ),
    redisTlsKey: pemSetting(
      'REDIS_TLS_KEY_FILE',
      'File with the private key (PEM, not encrypted) of REDIS_TLS_CERT_FILE.',
      'a private key',
      (pem) => createPrivateKey(pem),
    ),
  };
}

/** Values of {@link redisSettings}. */
export type RedisSettings = SettingValues<ReturnType<typeof redisSettings>>;

/**
 * The Redis that the settings name; undefined without REDIS_URL.
 *
 * @throws InvalidSettings where they contradict each other. No problem repeats a URL, a password or a key.
 */
export function redisTarget(values: RedisSettings): RedisTarget | undefined {
  const { redisUrl, redisMode: mode } = values;
  if (redisUrl === undefined) {
    if (mode === 'single') return undefined;
    throw new InvalidSettings([`REDIS_URL must be set when REDIS_MODE=${mode}`]);
  }
  const servers = redisUrls(redisUrl).map(singleRedis);
  const first = servers[0] as RedisTarget;
  const problems = [...contradictions(values, servers), ...tlsProblems(values, first.tls !== undefined)];
  if (problems.length > 0) throw new InvalidSettings(problems);
  const { redisSentinelMaster: master, redisSentinelPassword: password } = values;
  return {
    ...first,
    mode,
    nodes: servers.flatMap(({ nodes }) => nodes),
    sentinel: mode === 'sentinel' && master !== undefined ? { master, password } : undefined,
    tls: first.tls && tlsOptions(values),
  };
}

/**
 * Refuses, for production, passwords that everybody knows.
 *
 * @returns a line for each setting that has one.
 */
export function redisSecretProblems({ redisUrl, redisSentinelPassword }: RedisSettings): readonly string[] {
  const problems: string[] = [];
  const ofUrl = redisUrl === undefined ? undefined : redisPasswordProblem(redisUrl);
  if (ofUrl !== undefined) problems.push(`REDIS_URL ${ofUrl}`);
  if (redisSentinelPassword !== undefined && isExamplePassword(redisSentinelPassword)) {
    problems.push('REDIS_SENTINEL_PASSWORD is the password of an example, which everybody knows');
  }
  return problems;
}

function contradictions(values: RedisSettings, servers: readonly RedisTarget[]): string[] {
  const { redisMode: mode, redisSentinelMaster, redisSentinelPassword } = values;
  const [first, ...others] = servers;
  const problems: string[] = [];
  if (mode === 'single' && others.length > 0) {
    problems.push('REDIS_URL must be one URL unless REDIS_MODE is sentinel or cluster');
  }
  if (others.some(({ tls }) => (tls === undefined) !== (first?.tls === undefined))) {
    problems.push('REDIS_URL must have redis:// in all of its URLs, or rediss:// in all');
  }
  if (others.some((other) => !isPlain(other) && !hasSameAccess(other, first as RedisTarget))) {
    problems.push(
      'REDIS_URL must have user, password and number in the first URL, and the same or none in the others',
    );
  }
  if (mode === 'cluster' && first?.database !== 0) {
    problems.push('REDIS_URL must name no database but 0 when REDIS_MODE=cluster: a cluster has no other');
  }
  if (mode === 'sentinel' && redisSentinelMaster === undefined) {
    problems.push('REDIS_SENTINEL_MASTER must be set when REDIS_MODE=sentinel');
  }
  if (mode !== 'sentinel' && redisSentinelMaster !== undefined) {
    problems.push('REDIS_SENTINEL_MASTER is for REDIS_MODE=sentinel only');
  }
  if (mode !== 'sentinel' && redisSentinelPassword !== undefined) {
    problems.push('REDIS_SENTINEL_PASSWORD is for REDIS_MODE=sentinel only');
  }
  return problems;
}

function isPlain({ username, password, database }: RedisTarget): boolean {
  return username === undefined && password === undefined && database === 0;
}

function hasSameAccess(one: RedisTarget, other: RedisTarget): boolean {
  return (
    one.username === other.username && one.password === other.password && one.database === other.database
  );
}

function tlsProblems({ redisTlsCa: ca, redisTlsCert: cert, redisTlsKey: key }: RedisSettings, tls: boolean) {
  const given = { REDIS_TLS_CA_FILE: ca, REDIS_TLS_CERT_FILE: cert, REDIS_TLS_KEY_FILE: key };
  if (!tls) {
    return Object.entries(given)
      .filter(([, content]) => content !== undefined)
      .map(([name]) => `${name} is for rediss:// only`);
  }
  if (cert !== undefined && key === undefined) {
    return ['REDIS_TLS_KEY_FILE must be set where REDIS_TLS_CERT_FILE is'];
  }
  if (cert === undefined && key !== undefined) {
    return ['REDIS_TLS_CERT_FILE must be set where REDIS_TLS_KEY_FILE is'];
  }
  if (cert === undefined || key === undefined) return [];
  return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))
    ? []
    : ['REDIS_TLS_KEY_FILE must hold the private key of the certificate in REDIS_TLS_CERT_FILE'];
}

function tlsOptions({ redisTlsCa: ca, redisTlsCert: cert, redisTlsKey: key }: RedisSettings) {
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}
