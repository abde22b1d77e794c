import { readFile } from 'node:fs/promises';

const PRIVILEGES = new URL('./privileges.sql', import.meta.url);

/** The roles that privileges.sql gives something to; deploy/postgres/sql/roles.sql makes them. */
const ROLES_EXIST = `select count(*) = 2 as exist from pg_roles where rolname in ('optix_identity', 'optix_readonly')`;

/** Gives the least-privilege roles what each may do, where the server has these roles; else does nothing. */
export async function applyPrivileges(
  execute: (sql: string) => Promise<{ exist?: boolean }[]>,
): Promise<void> {
  const [roles] = await execute(ROLES_EXIST);
  if (roles?.exist === true) await execute(await readFile(PRIVILEGES, 'utf8'));
}
