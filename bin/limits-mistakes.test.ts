import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keyDigest } from '../runtime/callers/caller-key.ts';
import { startTestRateLimit, type TestService } from '../testing/services.ts';
import { checkCommand } from './commands/check.ts';
import { peekCommand } from './commands/peek.ts';
import { tailCommand } from './commands/tail.ts';
import { topCommand } from './commands/top.ts';
import { runOptix } from './testing-optix.ts';
import { UsageError } from './usage.ts';

let service: TestService;
beforeAll(async () => {
  service = await startTestRateLimit({
    RATELIMIT_CALLER_KEYS: `gateway=${keyDigest('key-of-gateway')};limits.check`,
  });
});
afterAll(async () => await service[Symbol.asyncDispose]());

const MISTAKEN: Readonly<Record<string, (args: string[]) => Promise<number>>> = {
  check: checkCommand,
  peek: peekCommand,
  top: topCommand,
  tail: tailCommand,
};

describe('a command', () => {
  const COMMANDS = [
    [['check', 'orders', 'user:1']],
    [['peek', 'orders', 'user:1']],
    [['top']],
    [['top', '--watch']],
    [['tail']],
    [['rules', 'list']],
    [['rules', 'show', 'orders']],
  ];

  it.each(COMMANDS)('%j says what to do where the service is stopped', async (args) => {
    expect(await runOptix([...args, '--address', '127.0.0.1:1'])).toEqual({
      status: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /^optix: \[unavailable\] [^\n]*is the service running, and at 127\.0\.0\.1:1 [^\n]*\n$/,
      ),
    });
  });

  it.each([
    [{}, /^optix: \[unauthenticated\] [^\n]*: set OPTIX_API_KEY to an API key of the service\n$/],
    [{ OPTIX_API_KEY: 'hush' }, /^optix: \[unauthenticated\] [^\n]*: check OPTIX_API_KEY\n$/],
    [
      { OPTIX_API_KEY: 'key-of-gateway' },
      /^optix: \[permission_denied\] [^\n]*optix callers create --scopes\)\n$/,
    ],
  ])('says what to do about a key: %j', async (env, says) => {
    const { status, stderr } = await runOptix(['top', '--address', service.grpcAddress], env);
    expect([status, stderr]).toEqual([1, expect.stringMatching(says)]);
    expect(stderr).not.toContain('hush');
  });

  it.each(['check', 'peek', 'top', 'tail'])('%s has help with examples', async (name) => {
    const { status, stdout } = await runOptix([name, '--help']);
    expect(status).toBe(0);
    expect(stdout).toContain(`Usage: optix ${name} `);
    expect(stdout).toContain(`\n  optix ${name}`);
  });

  it.each([
    [['check'], 'check: <endpoint> and <identifier> must be given'],
    [['check', 'orders'], 'check: <identifier> must be given'],
    [['check', 'orders', 'a', 'b'], 'check: "b" is one argument too many'],
    [['check', 'orders', 'a', '--cost', '0'], 'check: --cost 0 is no number from 1'],
    [['peek', 'orders', 'a', '--price', '1'], "peek: Unknown option '--price'"],
    [['top', '--denied', '--checked'], 'top: --denied or --checked, not both'],
    [['top', '--count', '1001'], 'top: --count 1001 is no number'],
    [['tail', '--sample', '0'], 'tail: --sample 0 is no share'],
    [['tail', 'orders'], 'tail: "orders" is one argument too many'],
  ])('refuses %j as a mistake of usage', async (args, says) => {
    const [name = '', ...rest] = args;
    const error = await MISTAKEN[name]?.(rest).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UsageError);
    expect((error as Error).message).toContain(says);
  });

  it('ends with 2 after a mistake of usage', async () => {
    const { status, stdout, stderr } = await runOptix(['check']);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^optix: check: <endpoint> and [^\n]*see optix check --help\n$/);
  });
});
