import type { WriteStream } from 'node:tty';
import type { RedisTarget } from '../../../runtime/redis-target.ts';
import { type DatabaseDump, dumpDatabase } from '../../../services/identity/backup/dump-database.ts';
import {
  countEntries,
  type LimiterDocument,
  readLimiterDocuments,
} from '../../../services/ratelimit/backup/limiter-documents.ts';
import { openProgress } from '../../output/progress.ts';
import { ArchiveWriter } from './archive-writer.ts';
import type { BackupSummary } from './backup-summary.ts';
import { FORMAT, type Manifest } from './manifest.ts';

/** Where what is to be backed up is. */
export interface BackupPlaces {
  readonly databaseUrl: string | undefined;
  readonly redis: RedisTarget | undefined;
}

/**
 * Makes the directory with a backup, or leaves nothing.
 *
 * @throws BackupRefused, and what the file system, PostgreSQL and Redis say
 */
export async function writeBackup(
  directory: string,
  { databaseUrl, redis }: BackupPlaces,
  terminal: Pick<WriteStream, 'isTTY' | 'write'>,
  signal: AbortSignal,
): Promise<BackupSummary> {
  const startedAt = performance.now();
  await using archive = await ArchiveWriter.create(directory, signal);
  using progress = openProgress(terminal);
  const dump =
    databaseUrl === undefined
      ? undefined
      : await dumpDatabase(databaseUrl, {
          write: async (table, rows) => await archive.add(fileOf(table), rows),
          onProgress: (readBytes, sizeBytes) => progress.show({ readBytes, sizeBytes }),
          signal,
        });
  const documents = redis === undefined ? undefined : await readLimiterDocuments(redis);
  for (const { name, text } of documents ?? []) await archive.add(`limiter.${name}.json`, text);
  await archive.publish(manifestOf(dump, documents));
  return {
    directory: archive.directory,
    bytes: archive.bytes,
    seconds: Math.round(performance.now() - startedAt) / 1000,
    identity: dump === undefined ? null : identityOf(dump),
    limiter: documents === undefined ? null : countsOf(documents),
  };
}

const fileOf = (table: string) => `${table}.copy.gz`;

function manifestOf(
  dump: DatabaseDump | undefined,
  documents: readonly LimiterDocument[] | undefined,
): Manifest {
  const identity = dump && {
    takenAt: dump.takenAt,
    serverVersion: dump.serverVersion,
    migrations: [...dump.migrations],
    tables: dump.tables.map((table) => ({
      ...table,
      columns: [...table.columns],
      file: fileOf(table.name),
    })),
    sequences: [...dump.sequences],
    encryptionKeys: [...dump.encryptionKeys],
    chain: dump.chain,
  };
  const limiter = documents && {
    documents: documents.map(({ name, revision }) => ({ name, revision, file: `limiter.${name}.json` })),
  };
  return {
    format: FORMAT,
    createdAt: new Date().toISOString(),
    identity: identity ?? null,
    limiter: limiter ?? null,
  };
}

function identityOf(dump: DatabaseDump): NonNullable<BackupSummary['identity']> {
  return {
    takenAt: dump.takenAt,
    schema: dump.migrations.at(-1) ?? '',
    rows: dump.tables.reduce((sum, { rows }) => sum + rows, 0),
    tables: Object.fromEntries(dump.tables.map(({ name, rows }) => [name, rows])),
    encryptionKeys: dump.encryptionKeys,
    chain: dump.chain,
  };
}

function countsOf(documents: readonly LimiterDocument[]): NonNullable<BackupSummary['limiter']> {
  const count = (wanted: LimiterDocument['name']) => {
    const document = documents.find(({ name }) => name === wanted);
    return document === undefined ? 0 : countEntries(document);
  };
  return { rules: count('rules'), callers: count('callers') };
}
