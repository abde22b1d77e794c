import { text } from 'node:stream/consumers';
import type { WriteStream } from 'node:tty';
import type { RedisTarget } from '../../../runtime/redis-target.ts';
import { BackupRefused } from '../../../services/identity/backup/errors.ts';
import type { LoadedDatabase } from '../../../services/identity/backup/load-database.ts';
import { checkLevel } from '../../../services/identity/backup/schema-level.ts';
import {
  askLimiter,
  countEntries,
  type LimiterDocument,
  putLimiterDocuments,
} from '../../../services/ratelimit/backup/limiter-documents.ts';
import { openProgress, type Progress } from '../../output/progress.ts';
import { type Archive, BackupUnusable, openArchive } from './archive.ts';
import type { BackupPart } from './backup-parts.ts';
import type { Manifest } from './manifest.ts';
import type { RestoreSummary } from './restore-summary.ts';

/** Where a backup goes, and the keys that are known there. */
export interface RestorePlaces {
  readonly databaseUrl: string | undefined;
  readonly redis: RedisTarget | undefined;
  readonly encryptionKeyIds: readonly string[];
}

export interface RestoreOptions {
  readonly only: BackupPart | undefined;
  readonly isCheck: boolean;
  readonly keepSessions: boolean;
  readonly allowMissingKeys: boolean;
}

/** More than the service keeps of one. */
const MAX_DOCUMENT_BYTES = 64 * 1024 * 1024;

type IdentityPart = NonNullable<Manifest['identity']>;

/**
 * Restores a backup. The database's part is one transaction; the limiter's documents are put into Redis just before its commit, as
 * they can be put twice.
 *
 * @throws BackupUnusable, BackupRefused: nothing has changed then
 */
export async function restoreBackup(
  path: string,
  places: RestorePlaces,
  options: RestoreOptions,
  terminal: Pick<WriteStream, 'isTTY' | 'write'>,
): Promise<RestoreSummary> {
  const startedAt = performance.now();
  using progress = openProgress(terminal);
  const archive = await openArchive(path, progress);
  const { only } = options;
  const identity = only === 'limiter' ? null : archive.manifest.identity;
  const documents = only === 'identity' ? null : await readDocuments(archive);
  if (only !== undefined && (only === 'identity' ? identity : documents) === null) {
    throw new BackupRefused(`${archive.directory} was made without the part ${only}`);
  }
  const missingKeys = (identity?.encryptionKeys ?? []).filter(
    ({ id }) => !places.encryptionKeyIds.includes(id),
  );
  if (identity !== null) checkLevel(identity.migrations);
  const { redis } = places;
  const common = {
    directory: archive.directory,
    checkOnly: options.isCheck,
    takenAt: identity?.takenAt ?? null,
    users: identity?.tables.find(({ name }) => name === 'users')?.rows ?? null,
    rows: identity?.tables.reduce((sum, { rows }) => sum + rows, 0) ?? null,
    missingKeys,
    migrated: [],
    leftOut: [],
    ended: null,
    chain: null,
    limiterSkipped: !options.isCheck && redis === undefined && (documents?.length ?? 0) > 0,
  };
  if (options.isCheck) {
    return { ...common, seconds: since(startedAt), limiter: null };
  }
  if (!options.allowMissingKeys) refuseWithout(missingKeys);
  if (redis === undefined && only === 'limiter') {
    throw new Error('REDIS_URL must be set: it names the Redis of the limiter');
  }
  // Before anything changes: that Redis is there.
  if (redis !== undefined && documents !== null) await askLimiter(redis);
  let limiter: RestoreSummary['limiter'] = null;
  const restoreLimiter = async () => {
    if (redis === undefined || documents === null) return;
    const outcomes = await putLimiterDocuments(redis, documents);
    limiter = { rules: outcomes.get('rules') ?? 'none', callers: outcomes.get('callers') ?? 'none' };
  };
  if (identity === null) {
    await restoreLimiter();
    return { ...common, seconds: since(startedAt), limiter };
  }
  const loaded = await load(archive, identity, places, options, progress, restoreLimiter);
  return { ...common, seconds: since(startedAt), ...outcomeOf(loaded), limiter };
}

async function load(
  archive: Archive,
  identity: IdentityPart,
  { databaseUrl }: RestorePlaces,
  { keepSessions }: RestoreOptions,
  progress: Progress,
  beforeCommit: () => Promise<void>,
): Promise<LoadedDatabase> {
  if (databaseUrl === undefined) {
    throw new Error('DATABASE_URL must be set: it names the database to restore into (or --only limiter)');
  }
  const files = new Map(identity.tables.map(({ name, file }) => [name, file]));
  const sizeBytes = [...files.values()].reduce((sum, file) => sum + archive.sizeOf(file), 0);
  let readBytes = 0;
  // Not before the backup is known to be good: the ORM takes a second.
  const { loadDatabase } = await import('../../../services/identity/backup/load-database.ts');
  return await loadDatabase(databaseUrl, identity, {
    keepSessions,
    beforeCommit,
    open: (table) =>
      archive.open(files.get(table) ?? '', (bytes) => {
        readBytes += bytes;
        progress.show({ sizeBytes, readBytes });
      }),
  });
}

function outcomeOf({ rows, migrated, leftOut, distrusted, chain }: LoadedDatabase) {
  return {
    rows,
    migrated,
    leftOut,
    ended: distrusted ?? null,
    chain: {
      intact: chain.findings.length === 0,
      verifiedEntries: chain.verified.toString(),
      findings: chain.findings.map(({ kind, description }) => `${kind.toLowerCase()}: ${description}`),
    },
  };
}

/** Each as the service could read it. */
async function readDocuments(archive: Archive): Promise<readonly LimiterDocument[] | null> {
  const { limiter } = archive.manifest;
  if (limiter === null) return null;
  return await Promise.all(
    limiter.documents.map(async ({ name, revision, file }) => {
      if (archive.sizeOf(file) > MAX_DOCUMENT_BYTES) {
        throw new BackupUnusable(`${archive.directory} can't be used: ${file} is too large`);
      }
      const document = { name, revision, text: await text(archive.open(file)) };
      countEntries(document);
      return document;
    }),
  );
}

function refuseWithout(missing: RestoreSummary['missingKeys']): void {
  if (missing.length === 0) return;
  const list = missing.map(({ id, secrets }) => `${id} (${secrets} secrets)`).join(', ');
  throw new BackupRefused(
    `the backup needs encryption keys that are not set: ${list}; put them into IDENTITY_ENCRYPTION_KEY and IDENTITY_OLDER_ENCRYPTION_KEYS, or restore with --allow-missing-keys`,
  );
}

function since(startedAt: number): number {
  return Math.round(performance.now() - startedAt) / 1000;
}
