import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ROOT } from '../scripts/run-command.ts';
import { startTestRateLimit, type TestService } from '../testing/services.ts';
import { describeInstalledCommandLine } from './package-cli.ts';
import { type PackedPackage, packPackage } from './packed-package.ts';

const run = promisify(execFile);
const MANIFEST = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
  readonly exports: Readonly<Record<string, unknown>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
};

vi.setConfig({ testTimeout: 60_000 });

let packed: PackedPackage;
/** A project that the package was installed into, with nothing else. */
let project: string;
let ratelimit: TestService;

beforeAll(async () => {
  packed = await packPackage();
  project = await packed.install('in-javascript', {});
  ratelimit = await startTestRateLimit();
}, 120_000);
afterAll(async () => {
  await ratelimit[Symbol.asyncDispose]();
  await packed[Symbol.asyncDispose]();
});

/** The version that this project's own tests use. */
function sameVersion(name: string): string {
  return `${name}@${MANIFEST.devDependencies[name]}`;
}

describe('the package that npm pack makes', () => {
  it('is used from plain JavaScript, with nothing else installed', async () => {
    await writeFile(
      join(project, 'main.js'),
      `
import { createLimiter } from 'optix/ratelimit';
import { createTokenVerifier, TokenInvalid } from 'optix/identity';

const limiter = createLimiter({ address: process.argv[2], whenUnreachable: 'throw', timeoutMs: 10_000 });
const answers = [];
for (let call = 0; call < 4; call += 1) {
  const { allowed, decision } = await limiter.check({ endpoint: 'auth_register', identifier: 'user:js' });
  answers.push([allowed, decision.remaining]);
}
limiter[Symbol.dispose]();
const tokens = createTokenVerifier({ address: process.argv[2], issuer: 'i', audience: 'a' });
const refusal = await tokens.verify('not a token').catch((error) => error);
tokens[Symbol.dispose]();

const loaded = {};
for (const subpath of ${JSON.stringify(Object.keys(MANIFEST.exports))}) {
  const names = Object.keys(await import('optix' + subpath.slice(1)));
  loaded[subpath] = names.length > 0;
}
console.log(JSON.stringify({ answers, refused: refusal instanceof TokenInvalid, loaded }));
`,
    );
    const { stdout } = await run(process.execPath, ['main.js', ratelimit.grpcAddress], { cwd: project });
    expect(JSON.parse(stdout)).toEqual({
      answers: [
        [true, 2],
        [true, 1],
        [true, 0],
        [false, 0],
      ],
      refused: true,
      loaded: Object.fromEntries(Object.keys(MANIFEST.exports).map((subpath) => [subpath, true])),
    });
  }, 180_000);

  it('has types that a strict project compiles with, those of its frameworks too', async () => {
    const frameworks = ['express', '@types/express', 'fastify', 'hono', '@types/node'].map(sameVersion);
    const folder = await packed.install(
      'in-typescript',
      {
        'tsconfig.json': JSON.stringify({
          compilerOptions: {
            ...{
              strict: true,
              module: 'nodenext',
              target: 'es2023',
              lib: ['es2024', 'esnext.disposable', 'dom'],
            },
            ...{ types: ['node'], exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
            ...{ outDir: 'out', skipLibCheck: false },
          },
          include: ['main.ts'],
        }),
        'main.ts': `
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import { createTokenVerifier, type VerifiedToken } from 'optix/identity';
import { authenticate, identityOf, requireIdentity } from 'optix/identity/express';
import { authenticate as authenticateFastify } from 'optix/identity/fastify';
import { authenticate as authenticateHono, type IdentityEnv } from 'optix/identity/hono';
import { byIp, byUser, createLimiter, firstOf, type LimitAnswer } from 'optix/ratelimit';
import { limitCalls } from 'optix/ratelimit/connect';
import { limitRequests } from 'optix/ratelimit/express';
import { limitRequests as limitFastify } from 'optix/ratelimit/fastify';
import { limitCalls as limitGrpc } from 'optix/ratelimit/grpc';
import { limitRequests as limitHono } from 'optix/ratelimit/hono';

const address = process.argv[2] ?? '';
using limiter = createLimiter({ address, whenUnreachable: 'deny', timeoutMs: 10_000 });
using verifier = createTokenVerifier({ address, issuer: 'issuer', audience: 'audience' });

const app = express();
app.use(authenticate({ verifier, optional: true }));
app.use(limitRequests({
  limiter,
  endpoint: 'auth_register',
  key: firstOf(byUser((request) => identityOf(request)?.userId), byIp()),
}));
app.get('/', (_request, response) => { response.send('hello'); });
app.get('/admin', requireIdentity({ roles: ['admin'] }), (request, response) => {
  const who: VerifiedToken | undefined = identityOf(request);
  response.send(who?.userId);
});

const other = fastify();
other.addHook('onRequest', authenticateFastify({ verifier }));
other.addHook('onRequest', limitFastify({ limiter, endpoint: 'orders', key: byIp() }));

const third = new Hono<IdentityEnv>();
third.use(authenticateHono({ verifier, optional: true }));
third.use(limitHono<IdentityEnv>({ limiter, endpoint: 'orders', key: byIp() }));

export const interceptors = [limitCalls({ limiter, endpoint: 'orders', key: byIp() })];
export const grpcInterceptors = [limitGrpc({ limiter, endpoint: 'orders', key: byIp() })];

const server = app.listen(0, '127.0.0.1');
await new Promise((resolve) => server.once('listening', resolve));
const bound = server.address();
const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
const statuses: number[] = [];
for (let call = 0; call < 4; call += 1) statuses.push((await fetch(\`http://127.0.0.1:\${port}/\`)).status);
const answer: LimitAnswer = await limiter.check({ endpoint: 'orders', identifier: 'user:ts' });
console.log(JSON.stringify({ statuses, allowed: answer.allowed }));
server.close();
server.closeAllConnections();
`,
      },
      ...frameworks,
    );
    const compiled = await run(process.execPath, [
      join(ROOT, 'node_modules/typescript/bin/tsc'),
      '-p',
      folder,
    ])
      .then(() => '')
      .catch((error: { readonly stdout: string }) => error.stdout);
    expect(compiled).toBe('');
    // Those of bundlers, and of Node before it could require() such a package.
    for (const options of [
      ['--module', 'esnext', '--moduleResolution', 'bundler'],
      ['--module', 'node16'],
    ]) {
      const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
      await run(process.execPath, [tsc, '-p', folder, '--noEmit', ...options]);
    }
    const main = join(folder, 'out/main.js');
    const { stdout } = await run(process.execPath, [main, ratelimit.grpcAddress], { cwd: folder });
    expect(JSON.parse(stdout)).toEqual({ statuses: [200, 200, 200, 429], allowed: true });
  }, 180_000);

  it('holds nothing but what was built, and no test', async () => {
    const { stdout } = await run('tar', ['-tzf', packed.archive]);
    const files = stdout.trim().split('\n');
    const built = /^package\/dist\/(bin|clients|gen|migrations|runtime|services|stack)\/.*\.(js|lua|sql)$/;
    const types = /^package\/dist\/(clients|gen)\/.*\.d\.ts$/;
    const other = files.filter((file) => !built.test(file) && !types.test(file));
    expect(other.sort()).toEqual([
      'package/LICENSE',
      'package/README.md',
      'package/bin/optix.js',
      'package/dist/package.json',
      'package/package.json',
    ]);
    expect(files.filter((file) => /\.test\.|testing|recorded/.test(file))).toEqual([]);
  });

  it('loads nothing but Node and what it depends on', async () => {
    const { stdout } = await run('tar', ['-xzOf', packed.archive, '--wildcards', 'package/dist/*.js'], {
      maxBuffer: 100_000_000,
    });
    const loaded = [
      ...stdout.matchAll(/(?:from |import\(|^import )['"]([^.'"][^'"]*)['"](?:;|\)| with)/gm),
    ].map(([, name = '']) => name.split('/', name.startsWith('@') ? 2 : 1).join('/'));
    const foreign = new Set(
      loaded.filter((name) => !name.startsWith('node:') && !(name in MANIFEST.dependencies)),
    );
    expect([...foreign]).toEqual([]);
    expect(loaded).toContain('@grpc/grpc-js');
  });
});

describeInstalledCommandLine(
  () => project,
  () => ratelimit,
);
