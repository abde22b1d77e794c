/** The database can't be backed up or restored into as it is. The message says what to do. */
export class BackupRefused extends Error {
  override name = 'BackupRefused';
}

/** Says what to do about a role that lacks a right; gives back every other error as it is. */
export function withRoleAdvice(error: unknown, advice: string): unknown {
  const { code, message } = databaseCause(error);
  return code === '42501' ? new BackupRefused(`${message}: ${advice}`, { cause: error }) : error;
}

/** The error of PostgreSQL's driver at the bottom. */
function databaseCause(error: unknown): { readonly code?: string; readonly message: string } {
  let cause = error;
  while (cause instanceof Error && !('code' in cause && /^[0-9A-Z]{5}$/.test(String(cause.code)))) {
    if (!(cause.cause instanceof Error)) break;
    cause = cause.cause;
  }
  return cause as { readonly code?: string; readonly message: string };
}
