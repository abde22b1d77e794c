import { redisSettings, redisTarget } from '../../runtime/redis-settings.ts';
import { readSettings } from '../../runtime/settings.ts';
import { postgresUrlSetting } from '../../runtime/store-urls.ts';
import { watchInterruption } from '../interruption.ts';
import { EXIT } from '../output/exit-code.ts';
import { printableJson, printableLines } from '../output/printable.ts';
import { readArguments } from '../output/read-arguments.ts';
import { UsageError } from '../usage.ts';
import { type BackupPart, readPart } from './backup/backup-parts.ts';
import { type BackupSummary, backupText } from './backup/backup-summary.ts';

const HELP = `Usage: optix backup --to <directory> [options]

Writes a consistent copy of identity's database (DATABASE_URL), and of the limiter's live rules and caller keys (REDIS_URL,
where it is set), while the services go on. The directory is made, for its owner alone, and appears once all of it is on
disk; nothing is ever overwritten. The encryption keys are not in it: keep them elsewhere (docs/backup.md).

  --to DIR            the directory to make
  --only PART         identity (no Redis) or limiter (no database) alone
  --json              print JSON

  optix backup --to /var/backups/optix/2026-11-22
  optix backup --to "/var/backups/optix/$(date -u +%Y%m%dT%H%M%SZ)" --json
  optix backup --to /var/backups/limiter --only limiter`;

const OPTIONS = { to: { type: 'string' }, only: { type: 'string' } } as const;

/** `optix backup`: copies what can't be made again. */
export async function backupCommand(args: string[]): Promise<number> {
  const read = readArguments({ name: 'backup', help: HELP, options: OPTIONS }, args);
  if (read === undefined) return EXIT.DONE;
  const { to, only, json } = read.values;
  if (!to) throw new UsageError('backup: --to must be given; see optix backup --help');
  const places = readPlaces(process.env, readPart('backup', only));
  // Loaded after the arguments are read: mistakes are answered at once.
  const { writeBackup } = await import('./backup/write-backup.ts');
  const { signal } = watchInterruption(() => process.exit(EXIT.FAILURE));
  let summary: BackupSummary;
  try {
    summary = await writeBackup(to, places, process.stderr, signal);
  } catch (error) {
    if (signal.aborted) throw new Error('interrupted: nothing was kept', { cause: error });
    throw error;
  }
  console.log(json ? printableJson(JSON.stringify(summary, null, 2)) : printableLines(backupText(summary)));
  return EXIT.DONE;
}

function readPlaces(env: NodeJS.ProcessEnv, only: BackupPart | undefined) {
  const values = readSettings({ databaseUrl: postgresUrlSetting(), ...redisSettings('') }, env);
  const { databaseUrl } = values;
  const redis = only === 'identity' ? undefined : redisTarget(values);
  if (only === 'limiter') {
    if (redis === undefined) throw new Error('REDIS_URL must be set: it names the Redis of the limiter');
    return { databaseUrl: undefined, redis };
  }
  if (databaseUrl === undefined) {
    throw new Error('DATABASE_URL must be set: it names the database of identity (or --only limiter)');
  }
  return { databaseUrl, redis };
}
