import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** Files of one import each, and whether that import crosses a border of the architecture. */
const REFUSED = [
  ['services/identity/context.ts', '../ratelimit/domain/limiter.ts'],
  ['services/identity/storage/across.ts', '../../ratelimit/domain/rule.ts'],
  ['services/identity/domain/across.ts', '../../ratelimit/domain/rule.ts'],
  ['services/ratelimit/context.ts', '../identity/domain/user.ts'],
  ['services/ratelimit/domain/across.ts', '../../identity/domain/user.ts'],
  ['services/identity/domain/to-storage.ts', '../storage/user-repository.ts'],
  ['services/identity/domain/to-rpc.ts', '../rpc/fields.ts'],
  ['services/identity/domain/to-orm.ts', '@mikro-orm/core'],
  ['services/identity/domain/to-connect.ts', '@connectrpc/connect'],
  ['services/ratelimit/domain/to-redis.ts', 'ioredis'],
  ['services/ratelimit/domain/to-grpc.ts', '@grpc/grpc-js'],
  ['services/ratelimit/domain/to-gen.ts', '../../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts'],
  ['services/ratelimit/domain/to-http.ts', '../../../runtime/http-server.ts'],
  ['runtime/to-service.ts', '../services/identity/config.ts'],
  ['clients/ratelimit/to-service.ts', '../../services/ratelimit/domain/limiter.ts'],
] as const;
const ALLOWED = [
  ['services/identity/limiter-client.ts', '../../clients/ratelimit/rate-limit-client.ts'],
  ['services/identity/service.ts', '../../runtime/start-ports.ts'],
  ['services/identity/domain/within.ts', './user.ts'],
  ['services/identity/storage/to-domain.ts', '../domain/user.ts'],
  ['services/ratelimit/storage/to-redis.ts', 'ioredis'],
] as const;

describe('the linter', () => {
  let directory: string;
  let refused: ReadonlySet<string>;
  beforeAll(async () => {
    // A tree of its own: the rules go by a file's place in it.
    directory = mkdtempSync(join(tmpdir(), 'optix-import-rules-'));
    const rules = JSON.parse(readFileSync(new URL('../biome.json', import.meta.url), 'utf8')) as object;
    const config = { ...rules, $schema: undefined, vcs: { enabled: false } };
    writeFileSync(join(directory, 'biome.json'), JSON.stringify(config));
    for (const [path, specifier] of [...REFUSED, ...ALLOWED]) {
      mkdirSync(dirname(join(directory, path)), { recursive: true });
      writeFileSync(join(directory, path), `import { a } from '${specifier}';\nexport const b = a;\n`);
    }
    refused = await refusedFiles(directory);
  });
  afterAll(() => {
    rmSync(directory, { recursive: true, force: true });
  });

  it.each(REFUSED)('refuses that %s imports %s', (path) => {
    expect(refused).toContain(path);
  });

  it.each(ALLOWED)('lets %s import %s', (path) => {
    expect(refused).not.toContain(path);
  });
});

/** The files in which the linter finds an import that is not allowed there. */
async function refusedFiles(directory: string): Promise<ReadonlySet<string>> {
  const biome = fileURLToPath(new URL('../node_modules/.bin/biome', import.meta.url));
  const output = await new Promise<string>((resolve) => {
    // It ends with an error because it finds what it is to find.
    execFile(
      biome,
      ['lint', '--reporter=github', '--max-diagnostics=none', '.'],
      { cwd: directory },
      (_, stdout) => resolve(stdout),
    );
  });
  const files = output
    .split('\n')
    .filter((line) => line.includes('noRestrictedImports'))
    .map((line) => relative(realpathSync(directory), /,file=([^,]+)/.exec(line)?.[1] ?? line));
  return new Set(files);
}
