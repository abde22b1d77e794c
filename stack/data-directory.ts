import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { postgresAccount, requirePassable } from './postgres-account.ts';

/** Shows that a directory was made by openDataDirectory(), so that its content may be deleted. */
const MARKER = '.optix-data';

/** Where everything lies that the embedded stack keeps between runs. */
export interface DataDirectory {
  readonly path: string;
  readonly postgres: string;
  readonly redis: string;
  readonly logs: string;
  /** Process ids of this run, for the next one. */
  readonly run: string;
}

/**
 * The default data directory of a checkout, or of the directory that the installed package is used in: `.optix` in it. Root
 * has it under /var/lib, because PostgreSQL then runs as another user, who can't enter a directory in root's home.
 */
export function defaultDataDirectory(home: string): string {
  if (process.getuid?.() !== 0) return join(home, '.optix');
  const hash = createHash('sha256').update(resolve(home)).digest('hex').slice(0, 8);
  return join('/var/lib/optix', hash);
}

/**
 * Opens the data directory, and makes it where there is none.
 *
 * @throws Error where the directory holds something else's files, or lies where PostgreSQL's user can't get to.
 */
export function openDataDirectory(directory: string): DataDirectory {
  const wanted = resolve(directory);
  if (existsSync(wanted) && !existsSync(join(wanted, MARKER)) && readdirSync(wanted).length > 0) {
    throw new Error(`${wanted} is not empty and was not made by optix: choose another data directory`);
  }
  const account = postgresAccount();
  // Passable, not readable, for PostgreSQL's user; what is secret in it has its own permissions.
  const mode = account ? 0o711 : 0o700;
  for (const made of makeDirectories(wanted)) chmodSync(made, mode);
  const path = realpathSync(wanted);
  if (account) requirePassable(path, account);
  writeFileSync(join(path, MARKER), 'The embedded stack of optix keeps its data here.\n');
  const data = {
    path,
    postgres: join(path, 'postgres'),
    redis: join(path, 'redis'),
    logs: join(path, 'logs'),
    run: join(path, 'run'),
  };
  makePrivate(data);
  return data;
}

/** Deletes what was kept, so that the next start begins anew. Nothing of the stack may run. */
export function clearDataDirectory(data: DataDirectory): void {
  // By name: whatever else somebody put there is theirs.
  for (const path of [data.postgres, data.redis, data.logs, join(data.path, 'secrets')]) {
    rmSync(path, { recursive: true, force: true });
  }
  makePrivate(data);
}

/** A secret of this data directory: made at the first call, the same ever after. 32 random bytes in base64. */
export function keptSecret(data: DataDirectory, name: string): string {
  const directory = join(data.path, 'secrets');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const file = join(directory, name);
  if (!existsSync(file)) {
    // Renamed when it is whole: a run that is killed in between must not leave an empty secret.
    writeFileSync(`${file}.new`, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }
  return readFileSync(file, 'utf8').trim();
}

function makePrivate(data: DataDirectory): void {
  for (const path of [data.redis, data.logs, data.run]) mkdirSync(path, { recursive: true, mode: 0o700 });
}

/** Makes a directory and those above it that are missing; returns the ones it made. */
function makeDirectories(path: string): string[] {
  if (existsSync(path)) return [];
  const made = makeDirectories(dirname(path));
  mkdirSync(path);
  return [...made, path];
}
