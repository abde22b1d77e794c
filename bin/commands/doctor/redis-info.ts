import type { RedisTarget } from '../../../runtime/redis-target.ts';
import type { Findings } from './finding.ts';

/** The oldest release that the tests run with. */
const TESTED_MAJOR = 7;
/** Of maxmemory: beyond, a rush of new callers can fill it. */
const HIGH_SHARE = 0.8;

/** The fields of INFO. */
export type RedisInfo = ReadonlyMap<string, string>;

/** Reads what INFO answers. */
export function readInfo(text: string): RedisInfo {
  const lines = text.split(/\r?\n/).filter((line) => line.includes(':'));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]));
}

/** Looks at what a server tells of itself by INFO, which the least rights include. */
export function checkRedisInfo(
  name: string,
  info: RedisInfo,
  mode: RedisTarget['mode'],
  findings: Findings,
): void {
  checkVersion(name, info, findings);
  if (info.get('role') !== 'master') {
    const why = 'nothing can be written there: each rule decides without Redis';
    findings.add(
      'problem',
      `${name} is a replica`,
      why,
      'let REDIS_URL name the master, or use sentinels (REDIS_MODE)',
    );
  }
  if (info.get('cluster_enabled') === '1' && mode !== 'cluster') {
    const why = 'keys of other nodes are refused (MOVED)';
    findings.add(
      'problem',
      `${name} is a node of a cluster, and REDIS_MODE=${mode}`,
      why,
      'set REDIS_MODE=cluster',
    );
  }
  checkMemory(name, info, findings);
  for (const field of ['aof_last_write_status', 'rdb_last_bgsave_status']) {
    if ((info.get(field) ?? 'ok') === 'ok') continue;
    const why = 'Redis refuses writes, or forgets them at a restart';
    findings.add(
      'problem',
      `${name}: ${field} is ${info.get(field)}`,
      why,
      "look at Redis's log and at the disk",
    );
  }
}

function checkVersion(name: string, info: RedisInfo, findings: Findings): void {
  const version = info.get('redis_version') ?? '';
  const valkey = info.get('valkey_version');
  const text = valkey === undefined ? `Redis ${version}` : `Valkey ${valkey}`;
  if (Number.parseInt(version, 10) >= TESTED_MAJOR) findings.ok(`${name} is ${text}`);
  else {
    const why = `releases before ${TESTED_MAJOR} are not tested`;
    findings.add('warning', `${name} is ${text}`, why, 'upgrade it');
  }
}

function checkMemory(name: string, info: RedisInfo, findings: Findings): void {
  const policy = info.get('maxmemory_policy') ?? '';
  if (policy === 'noeviction') findings.ok(`${name}: maxmemory-policy is noeviction`);
  else {
    findings.add(
      'problem',
      `${name}: maxmemory-policy is ${policy}`,
      'an evicted counter is a limit that begins anew, and an evicted key of a caller is refused',
      'set maxmemory-policy noeviction (deploy/redis.conf)',
    );
  }
  const most = Number(info.get('maxmemory') ?? 0);
  const used = Number(info.get('used_memory') ?? 0);
  const mebibytes = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(0)} MiB`;
  if (most === 0) {
    findings.add(
      'warning',
      `${name}: maxmemory is not set`,
      'Redis takes what the machine has, until the system ends it',
      'set maxmemory (docs/rate-limiting.md, Sizing)',
    );
  } else if (used > HIGH_SHARE * most) {
    findings.add(
      'warning',
      `${name} uses ${mebibytes(used)} of ${mebibytes(most)}`,
      'once it is full it refuses writes, and each rule decides without it',
      'raise maxmemory, or add shards (docs/rate-limiting.md, Sizing)',
    );
  } else findings.ok(`${name} uses ${mebibytes(used)} of ${mebibytes(most)}`);
}
