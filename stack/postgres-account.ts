import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** A system user, by number. */
export interface Account {
  name: string;
  uid: number;
  gid: number;
}

/**
 * The user that PostgreSQL has to run as: `undefined` for the current one. PostgreSQL refuses to run as root, so
 * root lends it `nobody`, which every system has; no user is created.
 */
export function postgresAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith('nobody:'));
  if (!line) {
    throw new Error(
      'PostgreSQL does not run as root, and /etc/passwd has no user "nobody" to run it as: start as another user, or set DATABASE_URL',
    );
  }
  const [, , uid, gid] = line.split(':');
  return { name: 'nobody', uid: Number(uid), gid: Number(gid) };
}

/**
 * The first directory on the way to the path, the path included, that the account may not pass by its permission
 * bits; `undefined` where the way is open. What does not exist yet is not looked at.
 */
export function closedDirectory(path: string, account: Account): string | undefined {
  const parent = dirname(path);
  const above = parent === path ? undefined : closedDirectory(parent, account);
  if (above !== undefined) return above;
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) return undefined;
  const executable = stat.uid === account.uid ? 0o100 : stat.gid === account.gid ? 0o010 : 0o001;
  return (stat.mode & executable) === 0 ? path : undefined;
}

/** @throws Error, one line naming the directory, where the account can't get to the path. */
export function requirePassable(path: string, account: Account): void {
  const closed = closedDirectory(path, account);
  if (closed === undefined) return;
  const way = closed === path ? '' : ` on the way to ${path}`;
  throw new Error(
    `PostgreSQL runs as user "${account.name}", who may not enter ${closed}${way}: choose another data directory`,
  );
}
