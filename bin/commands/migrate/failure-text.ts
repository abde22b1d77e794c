import { DatabaseUnavailable } from '../../../services/identity/domain/errors.ts';

/** SQLSTATE of a lock that was not had in time (PostgreSQL, appendix A). */
const LOCK_NOT_AVAILABLE = '55P03';
/** SQLSTATE of what the role may not do. */
const INSUFFICIENT_PRIVILEGE = '42501';

/** Why a database could not be migrated, and what to do about it. Repeats no password. Undefined for other mistakes. */
export function failureText(error: unknown, databaseUrl: string): string | undefined {
  if (sqlStateOf(error) === INSUFFICIENT_PRIVILEGE) {
    return `the role of DATABASE_URL may not change the schema: migrate as the one that owns it (docs/postgresql.md)`;
  }
  if (!(error instanceof DatabaseUnavailable)) return undefined;
  if (sqlStateOf(error.cause) === LOCK_NOT_AVAILABLE) {
    return (
      'another session has held a lock on the schema for a minute, most likely another migration: wait for it, or ' +
      "look for it (select * from pg_stat_activity where application_name = 'optix-migrate')"
    );
  }
  const reason = error.cause instanceof Error ? `: ${error.cause.message}` : '';
  return `${error.message} at ${placeOf(databaseUrl)}${reason}; is it running, and is DATABASE_URL right?`;
}

function sqlStateOf(error: unknown): unknown {
  return error instanceof Error && 'sqlState' in error ? error.sqlState : undefined;
}

function placeOf(databaseUrl: string): string {
  const { host, pathname, searchParams } = new URL(databaseUrl);
  // With a host among the parameters it is the directory of a socket.
  return `${searchParams.get('host') ?? host}${pathname}`;
}
