import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@connectrpc/connect';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Algorithm } from '../gen/optix/ratelimit/v1/limit_pb.ts';
import { RateLimitAdminService } from '../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import { startTestRateLimit, type TestService } from '../testing/services.ts';
import { rulesCommand } from './commands/rules.ts';
import { runOptix } from './testing-optix.ts';
import { printedBy } from './testing-printed.ts';
import { UsageError } from './usage.ts';

let service: TestService;
let directory: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'optix-rules-'));
});
afterAll(() => rmSync(directory, { recursive: true }));
beforeEach(async () => {
  service = await startTestRateLimit();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await service[Symbol.asyncDispose]();
});

async function rules(...args: string[]) {
  return await printedBy(() => rulesCommand([...args, '--address', service.grpcAddress]));
}

function file(name: string, content: string): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

const admin = () => createClient(RateLimitAdminService, service.transport('gRPC'));

const ORDERS = `rules:
  - name: orders
    limits:
      - { limit: 10, window: 1s, name: burst, algorithm: TOKEN_BUCKET, burst: 20 }
      - { limit: 1000, window: 1d, name: day, shadow: true }
    on_store_failure: FAIL_LOCAL
    overrides:
      - { identifier: "user:vip-*", mode: UNLIMITED }
`;

describe('optix rules list and show', () => {
  it('show the rules in force, and where they stand', async () => {
    await rules('apply', file('orders.yaml', ORDERS));
    const { status, stdout } = await rules('list');
    expect(status).toBe(0);
    expect(stdout.split('\n')[0]?.split(/ {2,}/)).toEqual([
      'rule',
      'origin',
      'mode',
      'limits',
      'overrides',
      'bypass',
      'without Redis',
    ]);
    expect(stdout).toMatch(/^api_default +BUILT_IN +ENFORCED +100\/1m +0 +admin +FAIL_OPEN$/m);
    expect(stdout).toMatch(
      /^orders +LIVE +ENFORCED +burst: 10\/1s TOKEN_BUCKET burst 20, day: 1000\/1d shadow +1 +admin +FAIL_LOCAL$/m,
    );
    const json = JSON.parse((await rules('list', '--json')).stdout);
    expect(json.rules.map(({ name }: { name: string }) => name)).toContain('auth_login');
    expect(JSON.parse((await rules('show', 'orders', '--json')).stdout)).toMatchObject({
      name: 'orders',
      origin: 'RULE_ORIGIN_LIVE',
      etag: expect.stringMatching(/^[0-9a-f]{16}$/),
    });
  });

  it('show a rule the way a rules file has it', async () => {
    await rules('apply', file('orders.yaml', ORDERS));
    const { stdout } = await rules('show', 'orders');
    expect(stdout).toMatch(
      /^# LIVE, version [0-9a-f]{16}\nname: orders\nlimits:\n {2}- \{ limit: 10, window: 1s, /,
    );
    const indented = stdout
      .split('\n')
      .slice(1, -1)
      .map((line) => `    ${line}`);
    const shown = file('shown.yaml', `rules:\n  -\n${indented.join('\n')}\n`);
    expect(await rules('diff', shown)).toMatchObject({ status: 0, stdout: '' });
  });

  it('name what to do about a rule that is not there', async () => {
    const { error } = await rules('show', 'missing');
    expect(error?.message).toBe('there is no rule "missing": optix rules list shows those there are');
  });
});

describe('optix rules diff', () => {
  it('ends with 3 and shows in which way rules differ', async () => {
    const changed = file(
      'changed.yaml',
      'rules: [ { name: auth_login, limits: [ { limit: 7, window: 60s } ] } ]',
    );
    const { status, stdout } = await rules('diff', changed);
    expect(status).toBe(3);
    expect(stdout).toBe(`--- in-force/auth_login
+++ file/auth_login
@@ -1,6 +1,6 @@
 name: auth_login
 limits:
-  - { limit: 5, window: 1m, algorithm: SLIDING_WINDOW_LOG }
+  - { limit: 7, window: 1m, algorithm: SLIDING_WINDOW_LOG }
 mode: ENFORCED
 bypass_roles: [ admin ]
-on_store_failure: FAIL_LOCAL
+on_store_failure: FAIL_OPEN
`);
    expect(JSON.parse((await rules('diff', changed, '--json')).stdout)).toMatchObject({
      changes: [
        {
          rule: 'auth_login',
          change: 'update',
          before: { limits: [{ limit: 5 }] },
          after: { limits: [{ limit: 7 }] },
        },
      ],
    });
  });

  it('ends with 0 where there is no difference', async () => {
    const same = file(
      'same.yaml',
      'rules: [ { name: api_default, limits: [ { limit: 100, window: 60s } ] } ]',
    );
    expect(await rules('diff', same)).toMatchObject({ status: 0, stdout: '' });
    expect(JSON.parse((await rules('diff', same, '--json')).stdout)).toEqual({ changes: [] });
  });

  it('refuses a bad file by line and column', async () => {
    const bad = file(
      'bad.yaml',
      'rules:\n  - name: a\n    limits: [ { limit: 0, window: 1m } ]\n    colour: red\n',
    );
    const { error } = await rules('diff', bad);
    expect(error?.message).toMatch(
      /bad\.yaml:3:\d+ rules\[0\]\.limits\[0\]\.limit .*; .*bad\.yaml:4:5 rules\[0\]\.colour/,
    );
    expect((await rules('apply', join(directory, 'none'))).error?.message).toMatch(
      /none can't be read: ENOENT$/,
    );
  });
});

describe('optix rules apply', () => {
  it('changes nothing with --dry-run, then creates, updates, and has nothing left to do', async () => {
    const both = file(
      'both.yaml',
      `${ORDERS}  - { name: auth_login, limits: [ { limit: 9, window: 1m } ] }\n`,
    );
    const dry = await rules('apply', both, '--dry-run');
    expect(dry.stdout).toContain('+++ file/orders');
    expect(dry.stdout).toMatch(/\n2 to change; nothing was changed \(--dry-run\)\n$/);
    expect((await rules('diff', both)).status).toBe(3);

    const { status, stdout } = await rules('apply', both);
    expect(status).toBe(0);
    expect(stdout).toMatch(/\nupdated auth_login\ncreated orders\n$/);
    expect((await rules('diff', both)).status).toBe(0);
    expect((await rules('apply', both)).stdout).toBe('nothing to change\n');
    const { rule } = await admin().getRule({ name: 'orders' });
    expect(rule?.limits[0]).toMatchObject({ algorithm: Algorithm.TOKEN_BUCKET, limit: 10, burst: 20 });
  });

  it('deletes live rules that the file lacks with --prune only; those under them hold again', async () => {
    await rules(
      'apply',
      file('orders.yaml', `${ORDERS}  - { name: auth_login, limits: [ { limit: 9, window: 1m } ] }\n`),
    );
    const less = file('less.yaml', 'rules: [ { name: quotes, limits: [ { limit: 1, window: 1s } ] } ]');
    expect((await rules('apply', less)).stdout).toMatch(/\ncreated quotes\n$/);
    const pruned = await rules('apply', less, '--prune', '--json');
    expect(JSON.parse(pruned.stdout)).toMatchObject({
      dryRun: false,
      changes: [
        { rule: 'auth_login', change: 'delete', after: null },
        { rule: 'orders', change: 'delete', before: { name: 'orders' }, after: null },
      ],
    });
    const { stdout } = await rules('list');
    expect(stdout).not.toContain('orders');
    expect(stdout).toMatch(/^auth_login +BUILT_IN +ENFORCED +5\/1m/m);
  });
});

describe('with as many live rules as there may be', () => {
  it('list shows all of them, and apply says how far it came', async () => {
    const limits = [{ limit: 1, window: { seconds: 1n } }];
    for (let n = 0; n < 999; n += 1) await admin().createRule({ rule: { name: `r${n}`, limits } });
    expect((await rules('list')).stdout.trimEnd().split('\n')).toHaveLength(1 + 7 + 999);

    const two = ['orders', 'quotes'].map((name) => `{ name: ${name}, limits: [ { limit: 1, window: 1s } ] }`);
    const { error, stderr } = await rules('apply', file('two.yaml', `rules: [ ${two.join(', ')} ]`));
    expect(stderr).toBe('optix: 1 of 2 changed (orders); quotes was next\n');
    expect(error?.message).toMatch(/^\[resource_exhausted\] can't keep more than 1000 live rules/);
    expect((await admin().getRule({ name: 'orders' })).rule?.limits).toHaveLength(1);
  });
});

describe('a mistake', () => {
  it.each([
    [[], 'rules: what? One of list, show, edit, apply, diff'],
    [['drop'], 'rules: "drop" is none of list, show, edit, apply, diff'],
    [['show'], 'rules show: <name> must be given'],
    [['apply'], 'rules apply: <file> must be given'],
    [['diff', 'a', 'b'], 'rules diff: "b" is one argument too many'],
    [['edit', 'a', '--force'], "rules edit: Unknown option '--force'"],
  ])('of usage is told: %j', async (args, says) => {
    const error = await rulesCommand(args).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UsageError);
    expect((error as Error).message).toContain(says);
  });

  it.each([['list'], ['show', 'a'], ['edit', 'a'], ['apply', 'FILE'], ['diff', 'FILE']])(
    'rules %s says what to do where the service is stopped',
    async (...words) => {
      vi.stubEnv('EDITOR', 'true');
      const args = words.map((word) => (word === 'FILE' ? file('orders.yaml', ORDERS) : word));
      const error = await rulesCommand([...args, '--address', '127.0.0.1:1']).catch(
        (thrown: unknown) => thrown,
      );
      expect((error as Error).message).toMatch(
        /^\[unavailable\] .*: is the service running, and at 127\.0\.0\.1:1 /,
      );
    },
  );
});

it('as a process, rules ends with 3 on a difference, 1 on a bad file, 0 on help', async () => {
  const args = ['--address', service.grpcAddress];
  const [differs, bad, help] = await Promise.all([
    runOptix(['rules', 'diff', file('orders.yaml', ORDERS), ...args]),
    runOptix(['rules', 'apply', file('empty.yaml', ''), ...args]),
    runOptix(['rules', 'apply', '--help']),
  ]);
  expect(differs).toMatchObject({ status: 3, stderr: '' });
  expect(bad).toMatchObject({
    status: 1,
    stdout: '',
    stderr: expect.stringMatching(/^optix: [^\n]*empty\.yaml:1:1 /),
  });
  expect(help).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('\n  optix rules apply rules.yaml --prune'),
  });
});
