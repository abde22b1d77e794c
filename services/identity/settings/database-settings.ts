import { booleanSetting, integerSetting, secretSetting } from '../../../runtime/settings.ts';
import { postgresUrlSetting } from '../../../runtime/store-urls.ts';

const one = postgresUrlSetting();

/** PostgreSQL: where it is, and how many connections wait how long. */
export const databaseSettings = {
  databaseUrl: one,
  databaseReplicaUrls: secretSetting(
    'DATABASE_REPLICA_URLS',
    'Streaming replicas of the database, as DATABASE_URL, between commas: they serve lists and exports as soon as they have all that the database had when it was asked. Unset: none. Commas within user names and passwords are written as %2C.',
    (text) => text.split(',').map((part) => one.parse(part.trim()) as string),
  ),
  databasePoolSize: integerSetting(
    'DATABASE_POOL_SIZE',
    20,
    { min: 1, max: 1000 },
    'Connections to PostgreSQL that are kept open.',
  ),
  databaseMaxOverflow: integerSetting(
    'DATABASE_MAX_OVERFLOW',
    10,
    { min: 0, max: 1000 },
    'Further connections that a rush may open.',
  ),
  databaseRecycleSeconds: integerSetting(
    'DATABASE_RECYCLE_SECONDS',
    3600,
    { min: 1, max: 86_400 },
    'Age at which a connection is replaced, in seconds.',
  ),
  databaseConnectTimeoutMs: integerSetting(
    'DATABASE_CONNECT_TIMEOUT_MS',
    2000,
    { min: 50, max: 60_000 },
    'How long a call may wait for a connection, in milliseconds.',
  ),
  databaseStatementTimeoutMs: integerSetting(
    'DATABASE_STATEMENT_TIMEOUT_MS',
    5000,
    { min: 50, max: 600_000 },
    'How long a statement may take, in milliseconds.',
  ),
  databaseLockTimeoutMs: integerSetting(
    'DATABASE_LOCK_TIMEOUT_MS',
    2000,
    { min: 10, max: 600_000 },
    'How long a statement may wait for a lock, in milliseconds.',
  ),
  databaseSlowQueryMs: integerSetting(
    'DATABASE_SLOW_QUERY_MS',
    500,
    { min: 0, max: 600_000 },
    'A statement that takes this long is logged, without its values, in milliseconds. 0: none is.',
  ),
  databaseSlowQueryPlans: booleanSetting(
    'DATABASE_SLOW_QUERY_PLANS',
    false,
    'Logs the plan of slow statements too, each at most once a minute: the generic one, which holds no values. Needs PostgreSQL 16.',
  ),
};
