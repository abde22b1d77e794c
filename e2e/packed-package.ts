import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from '../scripts/run-command.ts';

const run = promisify(execFile);

/** What `npm pack` needs of the checkout. */
const SOURCES = [
  ...['LICENSE', 'README.md', 'package.json'],
  ...['tsconfig.json', 'tsconfig.build.json', 'tsconfig.declarations.json'],
  ...['bin', 'clients', 'gen', 'migrations', 'runtime', 'scripts', 'services', 'stack'],
];

/** The package as `npm pack` makes it, and a directory for projects that use it. */
export interface PackedPackage extends AsyncDisposable {
  readonly archive: string;
  /**
   * An empty project with these files, into which the package was installed, and whatever else is named.
   *
   * @returns its directory
   */
  install(
    project: string,
    files: Readonly<Record<string, string>>,
    ...packages: readonly string[]
  ): Promise<string>;
}

/** Packs a copy of the checkout: several tests may build at once, and none leaves anything in the checkout. */
export async function packPackage(): Promise<PackedPackage> {
  const directory = await mkdtemp(join(tmpdir(), 'optix-package-'));
  const copy = join(directory, 'checkout');
  for (const name of SOURCES) await cp(join(ROOT, name), join(copy, name), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  const { stdout } = await npm(copy, 'pack', '--json', '--pack-destination', directory);
  const [packed] = JSON.parse(stdout.slice(stdout.indexOf('['))) as { readonly filename: string }[];
  const archive = join(directory, packed?.filename ?? '');
  return {
    archive,
    async install(project, files, ...packages) {
      const folder = join(directory, project);
      await mkdir(folder);
      const manifest = { name: project, private: true, type: 'module' };
      await writeFile(join(folder, 'package.json'), JSON.stringify(manifest));
      for (const [file, text] of Object.entries(files)) await writeFile(join(folder, file), text);
      const options = ['--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline'];
      await npm(folder, 'install', ...options, archive, ...packages);
      return folder;
    },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}

function npm(cwd: string, ...args: string[]) {
  return run('npm', args, { cwd, env: { ...process.env, npm_config_update_notifier: 'false' } });
}
