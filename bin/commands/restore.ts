import { redisSettings, redisTarget } from '../../runtime/redis-settings.ts';
import { readSettings } from '../../runtime/settings.ts';
import { postgresUrlSetting } from '../../runtime/store-urls.ts';
import { EXIT } from '../output/exit-code.ts';
import { printableJson, printableLines } from '../output/printable.ts';
import { readArguments } from '../output/read-arguments.ts';
import { UsageError } from '../usage.ts';
import { readPart } from './backup/backup-parts.ts';
import type { RestorePlaces } from './backup/restore-backup.ts';
import { restoreText } from './backup/restore-summary.ts';

const HELP = `Usage: optix restore --from <directory> [options]

Loads a backup into a database without rows (DATABASE_URL, as the role that owns the schema), while identity does not run, and
the limiter's rules and caller keys into Redis (REDIS_URL, where it is set), unless those there are newer. First every file
is compared with its digest; then all of the database is loaded, or nothing. Ends with 3 where all was restored, but the
audit log's chain in it is not intact.

What was revoked after the backup would be good again. So sessions, refresh tokens, trusted devices, signing keys and
tokens in mails end with the restore, and users sign in again. docs/backup.md says what else to look after.

  --from DIR              what optix backup made
  --check                 only compare the files with their digests, and look for the encryption keys
  --keep-sessions         end nothing: for a move, where nothing was written after the backup
  --allow-missing-keys    restore also where an encryption key that the secrets need is not set
  --only PART             identity (no Redis) or limiter (no database) alone
  --json                  print JSON

  optix restore --from /var/backups/optix/2026-11-22 --check
  optix restore --from /var/backups/optix/2026-11-22
  optix restore --from /var/backups/optix/2026-11-22 --keep-sessions --json`;

const OPTIONS = {
  from: { type: 'string' },
  check: { type: 'boolean' },
  'keep-sessions': { type: 'boolean' },
  'allow-missing-keys': { type: 'boolean' },
  only: { type: 'string' },
} as const;

/** `optix restore`: puts back what `optix backup` copied. */
export async function restoreCommand(args: string[]): Promise<number> {
  const read = readArguments({ name: 'restore', help: HELP, options: OPTIONS }, args);
  if (read === undefined) return EXIT.DONE;
  const { values: flags } = read;
  if (!flags.from) throw new UsageError('restore: --from must be given; see optix restore --help');
  const only = readPart('restore', flags.only);
  const places = await readPlaces(process.env);
  // Loaded after the arguments are read: the ORM takes half a second.
  const { restoreBackup } = await import('./backup/restore-backup.ts');
  const summary = await restoreBackup(
    flags.from,
    places,
    {
      only,
      isCheck: flags.check ?? false,
      keepSessions: flags['keep-sessions'] ?? false,
      allowMissingKeys: flags['allow-missing-keys'] ?? false,
    },
    process.stderr,
  );
  const text = printableLines(restoreText(summary));
  console.log(flags.json ? printableJson(JSON.stringify(summary, null, 2)) : text);
  return summary.chain?.intact === false ? EXIT.NO : EXIT.DONE;
}

async function readPlaces(env: NodeJS.ProcessEnv): Promise<RestorePlaces> {
  const { encryptionKeys, settings } = await import('../../services/identity/config.ts');
  const { encryptionKey, olderEncryptionKeys } = settings;
  const values = readSettings(
    { databaseUrl: postgresUrlSetting(), encryptionKey, olderEncryptionKeys, ...redisSettings('') },
    env,
  );
  const { primary, older } = encryptionKeys(values);
  return {
    databaseUrl: values.databaseUrl,
    redis: redisTarget(values),
    encryptionKeyIds: [primary, ...older].map(({ id }) => id),
  };
}
