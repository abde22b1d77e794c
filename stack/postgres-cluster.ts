import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { chown, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Account } from './postgres-account.ts';
import type { PostgresBinaries } from './postgres-binaries.ts';
import { clusterDirectory } from './postmaster.ts';

/** The superuser, and the database that is made for it. */
export const POSTGRES_USER = 'optix';

/** Environment for PostgreSQL's programs: nothing of the caller's (PGPORT, PGDATA, LC_ALL ...) may reach them. */
export function postgresEnvironment(): NodeJS.ProcessEnv {
  return { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
}

/**
 * Makes the database cluster where there is none, and returns its superuser's password.
 *
 * @throws Error with what initdb said; or where the cluster was made by another major version.
 */
export async function prepareCluster(
  dataDir: string,
  binaries: PostgresBinaries,
  account: Account | undefined,
  durable: boolean,
): Promise<{ password: string; created: boolean }> {
  const cluster = clusterDirectory(dataDir);
  const passwordFile = join(dataDir, 'password');
  if (existsSync(cluster)) {
    const made = readFileSync(join(cluster, 'PG_VERSION'), 'utf8').trim();
    const major = binaries.version.split('.')[0];
    if (made !== major) {
      throw new Error(`${cluster} was made by PostgreSQL ${made} and can't be opened by PostgreSQL ${major}`);
    }
    return { password: readFileSync(passwordFile, 'utf8').trim(), created: false };
  }
  await removeUnfinished(dataDir);
  // Under another name until it is whole: a run that was killed in the middle must not leave half a cluster.
  const unfinished = join(dataDir, `unfinished-${process.pid}`);
  await mkdir(unfinished, { mode: 0o700 });
  const password = randomBytes(24).toString('base64url');
  await rm(passwordFile, { force: true });
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
  // initdb runs as the other user, who must be able to read the password; that copy goes at once.
  const handedOver = join(unfinished, 'password');
  await writeFile(handedOver, `${password}\n`, { mode: 0o600 });
  if (account) {
    await chown(unfinished, account.uid, account.gid);
    await chown(handedOver, account.uid, account.gid);
  }
  await runInitdb(join(unfinished, 'cluster'), handedOver, binaries, account, durable);
  await rm(handedOver);
  await rename(join(unfinished, 'cluster'), cluster);
  await rm(unfinished, { recursive: true });
  return { password, created: true };
}

async function removeUnfinished(dataDir: string): Promise<void> {
  for (const name of await readdir(dataDir)) {
    if (name.startsWith('unfinished-')) {
      await rm(join(dataDir, name), { recursive: true, force: true, maxRetries: 20 });
    }
  }
}

function runInitdb(
  cluster: string,
  passwordFile: string,
  binaries: PostgresBinaries,
  account: Account | undefined,
  durable: boolean,
): Promise<void> {
  const args = [
    `--pgdata=${cluster}`,
    `--username=${POSTGRES_USER}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--locale=C',
    '--no-instructions',
    ...(durable ? [] : ['--no-sync']),
  ];
  return new Promise((resolve, reject) => {
    const initdb = spawn(join(binaries.directory, 'bin', 'initdb'), args, {
      cwd: join(cluster, '..'),
      env: postgresEnvironment(),
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(account && { uid: account.uid, gid: account.gid }),
    });
    let output = '';
    initdb.stdout.on('data', (chunk: Buffer) => (output += chunk));
    initdb.stderr.on('data', (chunk: Buffer) => (output += chunk));
    initdb.once('error', (error) => reject(new Error(`initdb could not be run: ${error.message}`)));
    initdb.once('close', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`initdb failed (${signal ?? `exit code ${code}`}): ${output.trim()}`));
    });
  });
}
