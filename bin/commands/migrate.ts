import { readSettings } from '../../runtime/settings.ts';
import { postgresUrlSetting } from '../../runtime/store-urls.ts';
import { parseFlags } from '../usage.ts';

/** `optix migrate`: brings the database that DATABASE_URL names up to date. */
export async function migrateCommand(args: string[]): Promise<number> {
  parseFlags(args, {});
  const { url } = readSettings({ url: postgresUrlSetting() }, process.env);
  if (url === undefined) throw new Error('DATABASE_URL must be set: it names the database to migrate');
  // Loaded after the arguments are read: the ORM takes half a second.
  const { migrateDatabase } = await import('../../stack/migrate-database.ts');
  const names = await migrateDatabase(url);
  for (const name of names) console.log(`applied ${name}`);
  if (names.length === 0) console.log('the database is up to date');
  return 0;
}
