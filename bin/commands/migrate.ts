import { readSettings } from '../../runtime/settings.ts';
import { postgresUrlSetting } from '../../runtime/store-urls.ts';
import { EXIT } from '../output/exit-code.ts';
import { printJson } from '../output/message-json.ts';
import { readArguments } from '../output/read-arguments.ts';
import { openWaiting } from '../output/waiting.ts';
import { LEAST_VERSION } from './doctor/least-version.ts';
import { failureText } from './migrate/failure-text.ts';

const HELP = `Usage: optix migrate [options]

Brings the database that DATABASE_URL names up to date: all migrations that are pending, in one transaction, or none. Of
several that run at once one migrates, and the others wait for it, a minute at most. Roles and rights are described in
docs/postgresql.md.

  --plan              show what is pending, and change nothing; ends with 3 where anything is
  --json              print JSON: { serverVersion, applied, pending }, both by name, oldest first

  DATABASE_URL=postgres://optix@db.example/optix optix migrate --plan
  optix migrate
  optix migrate --plan --json | jq -r '.pending[]'`;

/** `optix migrate`: brings the database that DATABASE_URL names up to date. */
export async function migrateCommand(args: string[]): Promise<number> {
  const options = { plan: { type: 'boolean' } } as const;
  const read = readArguments({ name: 'migrate', help: HELP, options }, args);
  if (read === undefined) return EXIT.DONE;
  const { url } = readSettings({ url: postgresUrlSetting() }, process.env);
  if (url === undefined) throw new Error('DATABASE_URL must be set: it names the database to migrate');
  const { plan: isPlan = false, json = false } = read.values;
  const { serverVersion, applied, pending } = await withAdvice(url, () => migrateTo(url, isPlan));
  if (json) printJson({ serverVersion, applied, pending });
  else {
    for (const name of applied) console.log(`applied ${name}`);
    for (const name of pending) console.log(`pending ${name}`);
    if (applied.length + pending.length === 0) console.log('the database is up to date');
  }
  return pending.length === 0 ? EXIT.DONE : EXIT.NO;
}

async function migrateTo(url: string, isPlan: boolean) {
  // Loaded after the arguments are read: the ORM takes half a second.
  const { readMigrationPlan } = await import('../../stack/migration-plan.ts');
  const { serverVersion, serverNumber, pending } = await readMigrationPlan(url);
  if (serverNumber < LEAST_VERSION) {
    const least = LEAST_VERSION / 10_000;
    throw new Error(`the database is PostgreSQL ${serverVersion}: the migrations need ${least} or newer`);
  }
  if (isPlan) return { serverVersion, applied: [], pending: [...pending] };
  let doing = 'waiting for the lock of migrations';
  let begun = 0;
  using _waiting = openWaiting(process.stderr, () => doing);
  const { migrateDatabase } = await import('../../stack/migrate-database.ts');
  const applied = await migrateDatabase(url, (name) => {
    begun += 1;
    doing = `${begun} of ${pending.length}: ${name}`;
  });
  return { serverVersion, applied, pending: [] };
}

async function withAdvice<T>(url: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new Error(failureText(error, url) ?? (error as Error).message, { cause: error });
  }
}
