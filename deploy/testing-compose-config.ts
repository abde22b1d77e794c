import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, parseDocument, visit } from 'yaml';
import type { ComposeService } from './testing-compose.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** A service as Docker Compose says it after all files, variables and anchors. */
export interface ConfiguredService extends Omit<ComposeService, 'environment' | 'volumes'> {
  readonly environment?: Readonly<Record<string, string | null>>;
  readonly volumes?: readonly unknown[];
  readonly deploy?: { readonly replicas?: number };
  readonly networks?: Readonly<Record<string, { readonly ipv4_address?: string } | null>>;
}

/** Docker Compose, as this machine has it. */
export interface DockerCompose {
  readonly command: readonly [string, ...string[]];
  /** 1 for the program of before 2022, which Debian 12 has: it doesn't know `name`, `start_interval` and `!reset`. */
  readonly major: number;
}

/** Docker Compose as `docker compose` or `docker-compose`; undefined where there is none. */
export function findDockerCompose(): DockerCompose | undefined {
  for (const command of [['docker', 'compose'], ['docker-compose']] as const) {
    const [program, ...args] = command;
    const { status, stdout } = spawnSync(program, [...args, 'version', '--short'], { encoding: 'utf8' });
    const [, major] = /^v?(\d+)\./.exec(stdout ?? '') ?? [];
    if (status === 0 && major !== undefined) return { command: [program, ...args], major: Number(major) };
  }
  return undefined;
}

/**
 * What `docker compose config` makes of files, which it checks against its schema.
 *
 * @param files in the order of `-f`, from the repository's root
 * @param scratch a directory for copies
 * @throws Error with its message where it refuses them
 */
export function composeConfig(
  compose: DockerCompose,
  files: readonly string[],
  envFile: string,
  scratch: string,
): { readonly services: Readonly<Record<string, ConfiguredService>> } {
  const directory = compose.major === 1 ? copyForFirstVersion(files, scratch) : ROOT;
  const [program, ...args] = compose.command;
  const named = files.flatMap((file) => ['-f', join(directory, file)]);
  const { status, stdout, stderr } = spawnSync(
    program,
    [...args, '--env-file', envFile, '--project-directory', ROOT, ...named, 'config'],
    // What the environment sets would count for more than the file.
    { encoding: 'utf8', env: { PATH: process.env['PATH'], HOME: scratch } },
  );
  if (status !== 0) throw new Error(stderr);
  return parse(stdout, { merge: true });
}

/** Copies of the files without what version 1 doesn't know: `name`, `start_interval`, and `!reset`, which is carried out. */
function copyForFirstVersion(files: readonly string[], scratch: string): string {
  const documents = files.map((file) =>
    parseDocument(readFileSync(join(ROOT, file), 'utf8'), { merge: true }),
  );
  for (const [index, document] of documents.entries()) {
    document.delete('name');
    visit(document, {
      Pair(_, { key, value }, path) {
        if (String(key) === 'start_interval') return visit.REMOVE;
        if ((value as { tag?: string } | null)?.tag !== '!reset') return undefined;
        // The places of `services`, of the service and of the key.
        const keys = path.filter((node) => 'key' in node).map((pair) => String(pair.key));
        for (const earlier of documents.slice(0, index)) earlier.deleteIn([...keys, String(key)]);
        return visit.REMOVE;
      },
    });
  }
  for (const [index, file] of files.entries()) {
    const copy = join(scratch, file);
    mkdirSync(dirname(copy), { recursive: true });
    writeFileSync(copy, String(documents[index]));
  }
  return scratch;
}
