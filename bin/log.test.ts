import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { blocksOf } from '../e2e/readme/blocks.ts';
import { keyDigest } from '../runtime/callers/caller-key.ts';
import { createTestDatabase } from '../testing/database.ts';
import { startTestIdentity, startTestRateLimit, type TestService } from '../testing/services.ts';
import { CHECKOUT } from './checkout.ts';
import { logCommand } from './commands/log.ts';
import { printedBy } from './testing-printed.ts';
import { UsageError } from './usage.ts';

const resources = new AsyncDisposableStack();
let services: Readonly<Record<string, TestService>>;
beforeAll(async () => {
  const database = resources.use(await createTestDatabase());
  const keys = `ops=${keyDigest('key-of-ops')};operations.admin,desk=${keyDigest('key-of-desk')}`;
  services = {
    identity: resources.use(
      await startTestIdentity({
        DATABASE_URL: database.url,
        RATE_LIMIT_ENABLED: 'false',
        IDENTITY_CALLER_KEYS: keys,
      }),
    ),
    ratelimit: resources.use(await startTestRateLimit({ RATELIMIT_CALLER_KEYS: keys })),
  };
});
afterAll(() => resources.disposeAsync());

const serviceOf = (name: string) => services[name] as TestService;

/** Runs `optix log` on a service of this test. */
async function log(name: string, ...args: string[]) {
  vi.stubEnv('OPTIX_API_KEY', 'key-of-ops');
  return await printedBy(async () => await logCommand([...args, '--address', serviceOf(name).grpcAddress]));
}

async function json(name: string, ...args: string[]) {
  const { stdout, error } = await log(name, ...args, '--json');
  expect(error).toBeUndefined();
  return JSON.parse(stdout);
}

describe('optix log', () => {
  it('shows what a process logs', async () => {
    expect((await log('identity', 'show')).stdout).toMatch(
      /^level +slow statements +plans +until\ntrace +500ms +off +its end\n$/,
    );
    expect((await log('ratelimit', 'show')).stdout).toMatch(/\ntrace +its end\n$/);
    expect(await json('ratelimit', 'show')).toEqual({ level: 'LOG_LEVEL_TRACE', slowQueryPlans: false });
  });

  it('changes it for a while, and the process says who did so', async () => {
    const set = ['set', '--level', 'warn', '--slow-query', '100ms', '--plans', '--for', '10m'];
    expect(await json('identity', ...set)).toEqual({
      level: 'LOG_LEVEL_WARN',
      slowQueryThreshold: '0.100s',
      slowQueryPlans: true,
      expireTime: expect.stringMatching(/^\d{4}-/),
    });
    expect(serviceOf('identity').log).toContainEqual(
      expect.objectContaining({ msg: 'what is logged was changed', caller: 'ops' }),
    );
    expect(await json('identity', 'set', '--slow-query', 'off', '--no-plans')).toEqual({
      level: 'LOG_LEVEL_WARN',
      slowQueryThreshold: '0s',
      slowQueryPlans: false,
    });
  });

  it('takes effect on the next line', async () => {
    const { log: lines } = serviceOf('ratelimit');
    await log('ratelimit', 'set', '--level', 'error');
    const before = lines.length;
    await log('ratelimit', 'set', '--level', 'loud');
    await fetch(`${serviceOf('ratelimit').httpUrl}/nowhere`);
    await log('ratelimit', 'set', '--level', 'trace');
    expect(lines.slice(before).map(({ msg }) => msg)).toEqual(['what is logged was changed']);
    await fetch(`${serviceOf('ratelimit').httpUrl}/nowhere`);
    await vi.waitFor(() => expect(lines.at(-1)).toMatchObject({ msg: 'request refused' }));
  });

  it.each([
    ['set', 'must be given'],
    ['set --for 10m', '--level, --slow-query, --plans or --no-plans must be given'],
    ['set --level loud', '--level must be one of trace, debug'],
    ['set --level debug --for ever', '--for must be a time such as 10m, not "ever"'],
    ['set --slow-query -1', ''],
    ['set --slow-query 0s', '--slow-query must be a time such as 100ms, not "0s"'],
    ['set --plans --no-plans', 'contradict each other'],
    ['show --service limiter', '--service must be identity or ratelimit'],
    ['show all', '"all" is one argument too many'],
    ['hide', '"hide" is none of show, set'],
  ])('%s is a mistake that changes nothing', async (line, text) => {
    const before = await json('ratelimit', 'show');
    const { error, stdout } = await log('ratelimit', ...line.split(' '));
    expect([error instanceof UsageError, stdout]).toEqual([true, '']);
    expect(error?.message).toContain(text);
    expect(await json('ratelimit', 'show')).toEqual(before);
  });

  it('needs to know which service', async () => {
    const { error } = await printedBy(async () => await logCommand(['show']));
    expect(error).toBeInstanceOf(UsageError);
  });

  it('tells a refusal in one line', async () => {
    expect((await log('ratelimit', 'set', '--plans')).error?.message).toMatch(
      /^\[failed_precondition\] .*no database/,
    );
    expect((await log('identity', 'set', '--level', 'info', '--for', '8d')).error?.message).toBe(
      '[invalid_argument] ttl must be from 1 second to 7 days',
    );
    vi.stubEnv('OPTIX_API_KEY', 'key-of-desk');
    const desk = await printedBy(
      async () => await logCommand(['show', '--address', serviceOf('identity').grpcAddress]),
    );
    expect(desk.error?.message).toMatch(/^\[permission_denied\] the caller needs the scope operations.admin/);
    const away = await printedBy(async () => await logCommand(['show', '--address', '127.0.0.1:1']));
    expect(away.error).not.toBeInstanceOf(UsageError);
    expect(away.error?.message).toMatch(/^\[unavailable\] .*is the service running, and at 127\.0\.0\.1:1/);
  });
});

describe('docs/logs.md', () => {
  const blocks = blocksOf(readFileSync(join(CHECKOUT, 'docs', 'logs.md'), 'utf8'));
  const commands = blocks.flatMap(({ directive, text }) => {
    const [, name] = /^on (identity|ratelimit)$/.exec(directive) ?? [];
    return name === undefined
      ? []
      : text
          .trim()
          .split('\n')
          .map((command) => ({ name, command }));
  });

  it('has commands to run on both', () => {
    expect(new Set(commands.map(({ name }) => name))).toEqual(new Set(['identity', 'ratelimit']));
  });

  it.each(commands)('$command', async ({ name, command }) => {
    const [start, ...args] = command.split(/(?<=optix log) /);
    expect(start).toBe('npx optix log');
    const { status, stdout, stderr } = await log(name, ...args.join(' ').split(' '));
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).not.toBe('');
  });

  it('shows a line of the log that is one', () => {
    const line = blocks.find(({ language }) => language === 'json')?.text ?? '';
    expect(JSON.parse(line)).toMatchObject({ msg: 'call', name: 'identity' });
  });
});
