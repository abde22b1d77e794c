import { randomUUID } from 'node:crypto';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { Code, createClient } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Algorithm } from '../../gen/optix/ratelimit/v1/limit_pb.ts';
import {
  RateLimitAdminService,
  RuleMode,
  RuleOrigin,
  type RuleSchema,
  StoreFailurePolicy,
} from '../../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import { InvalidSettings } from '../../runtime/settings.ts';
import { failure, fieldsOf, reasonOf } from '../../testing/failure.ts';
import { testRedisUrl } from '../../testing/redis.ts';
import {
  rateLimitClient,
  startTestRateLimit,
  type TestService,
  TRANSPORTS,
  type TransportName,
} from '../../testing/services.ts';

type RuleInit = MessageInitShape<typeof RuleSchema>;

const MINUTE = { limit: 5, window: { seconds: 60n } };

const adminClient = (service: TestService, transport: TransportName = 'gRPC') =>
  createClient(RateLimitAdminService, service.transport(transport));

/** A name that no other rule has. */
const newName = () => `orders-${randomUUID()}`;

const ruleOf = (name: string, fields: RuleInit = {}): RuleInit => ({ name, limits: [MINUTE], ...fields });

describe.each([
  { store: 'Redis', env: () => ({ REDIS_URL: testRedisUrl() }) },
  { store: 'memory', env: () => ({}) },
])('rules, live in $store', ({ env }) => {
  let service: TestService;
  beforeAll(async () => {
    service = await startTestRateLimit(env());
  });
  afterAll(async () => {
    await service[Symbol.asyncDispose]();
  });

  describe.each(TRANSPORTS)('over %s', (transport) => {
    const admin = () => adminClient(service, transport);
    const check = async (endpoint: string, identifier = 'user:1') =>
      await rateLimitClient(service, transport).checkLimit({ endpoint, identifier });

    it('are created, told, changed and deleted, each in force with its answer', async () => {
      const name = newName();
      const { rule: created } = await admin().createRule({
        rule: ruleOf(name, {
          limits: [
            MINUTE,
            {
              name: 'hourly',
              algorithm: Algorithm.TOKEN_BUCKET,
              limit: 20,
              window: { seconds: 3600n },
              burst: 9,
            },
          ],
          bypassRoles: ['ops', 'admin'],
          onStoreFailure: StoreFailurePolicy.FAIL_CLOSED,
          overrides: [{ identifier: 'user:vip-*', mode: RuleMode.UNLIMITED }],
        }),
      });
      expect(created).toMatchObject({
        name,
        limits: [
          { name: '', algorithm: Algorithm.SLIDING_WINDOW_LOG, limit: 5, window: { seconds: 60n, nanos: 0 } },
          { name: 'hourly', algorithm: Algorithm.TOKEN_BUCKET, limit: 20, burst: 9 },
        ],
        mode: RuleMode.ENFORCED,
        bypassRoles: ['admin', 'ops'],
        onStoreFailure: StoreFailurePolicy.FAIL_CLOSED,
        overrides: [{ identifier: 'user:vip-*', mode: RuleMode.UNLIMITED, limits: [] }],
        origin: RuleOrigin.LIVE,
      });
      expect(await check(name)).toMatchObject({
        rule: name,
        ruleVersion: created?.etag,
        limit: 5,
        remaining: 4,
      });
      expect((await check(name, 'user:vip-1')).limit).toBe(0);
      expect((await admin().getRule({ name })).rule).toEqual(created);

      const { rule: updated } = await admin().updateRule({
        rule: { name, limits: [{ ...MINUTE, limit: 3 }], etag: created?.etag ?? '' },
      });
      expect(updated).toMatchObject({ limits: [{ limit: 3 }], bypassRoles: ['admin', 'ops'] });
      expect(updated?.etag).not.toBe(created?.etag);
      expect(await check(name)).toMatchObject({ limit: 3, remaining: 1 });

      await admin().deleteRule({ name, etag: updated?.etag ?? '' });
      expect((await check(name)).rule).toBe('api_default');
      expect((await failure(admin().getRule({ name }))).code).toBe(Code.NotFound);
    });

    it('of the service itself can be overridden, and come back', async () => {
      const before = (await admin().getRule({ name: 'auth_mfa' })).rule;
      expect(before?.origin).toBe(RuleOrigin.BUILT_IN);
      const { rule } = await admin().updateRule({ rule: { name: 'auth_mfa', mode: RuleMode.DISABLED } });
      expect(rule).toMatchObject({
        mode: RuleMode.DISABLED,
        limits: [{ limit: 5 }],
        origin: RuleOrigin.LIVE,
      });
      expect((await check('auth_mfa', `user:${randomUUID()}`)).limit).toBe(0);
      await admin().deleteRule({ name: 'auth_mfa' });
      expect((await admin().getRule({ name: 'auth_mfa' })).rule).toEqual(before);
    });

    it('change in the fields of the mask only', async () => {
      const name = newName();
      await admin().createRule({ rule: ruleOf(name, { bypassRoles: ['ops'] }) });
      const update = async (rule: RuleInit, paths: string[]) =>
        (await admin().updateRule({ rule: { name, ...rule }, updateMask: { paths } })).rule;
      const changes: RuleInit = { mode: RuleMode.SHADOW, limits: [{ ...MINUTE, limit: 9 }] };
      expect(await update(changes, ['mode'])).toMatchObject({
        mode: RuleMode.SHADOW,
        limits: [{ limit: 5 }],
      });
      expect(await update({}, ['bypass_roles'])).toMatchObject({ bypassRoles: [], mode: RuleMode.SHADOW });
      expect(await update({}, ['mode'])).toMatchObject({ mode: RuleMode.ENFORCED });
      const whole = { limits: [MINUTE], onStoreFailure: StoreFailurePolicy.FAIL_LOCAL, bypassRoles: ['x'] };
      expect(await update(whole, ['*'])).toMatchObject({ ...whole, overrides: [] });
    });

    it('are listed by name, page by page, though others come and go', async () => {
      const names = ['b', 'd', 'f'].map((letter) => `zz-${letter}-${randomUUID()}`);
      for (const name of names) await admin().createRule({ rule: ruleOf(name) });
      const all: string[] = [];
      let pageToken = '';
      do {
        const page = await admin().listRules({ pageSize: 2, pageToken });
        expect(page.rules.length).toBeLessThanOrEqual(2);
        all.push(...page.rules.map(({ name }) => name));
        pageToken = page.nextPageToken;
        // Before what was listed: no rule may be listed twice or left out for it.
        const other = `aa-${randomUUID()}`;
        await admin().createRule({ rule: ruleOf(other) });
        await admin().deleteRule({ name: other });
      } while (pageToken !== '');
      expect(all).toEqual([...all].sort());
      expect(new Set(all).size).toBe(all.length);
      expect(all).toEqual(expect.arrayContaining([...names, 'api_default', 'auth_login']));
      expect(await admin().listRules({})).toMatchObject({ nextPageToken: '' });
      for (const name of names) await admin().deleteRule({ name });
    });

    it('of a large size come in pages that a client can take', async () => {
      const overrides = Array.from({ length: 4_000 }, (_, index) => ({
        identifier: `${'x'.repeat(150)}${index}`,
        mode: RuleMode.UNLIMITED,
      }));
      const names = ['zz-large-1', 'zz-large-2', 'zz-large-3'];
      for (const name of names) await admin().createRule({ rule: ruleOf(name, { overrides }) });
      const first = await admin().listRules({ pageSize: 1_000 });
      expect(first.nextPageToken).not.toBe('');
      const second = await admin().listRules({ pageSize: 1_000, pageToken: first.nextPageToken });
      expect(second.rules[0]?.name).toMatch(/^zz-large-[23]$/);
      for (const name of names) await admin().deleteRule({ name });
    });

    it.each<[string, RuleInit | undefined, string[]]>([
      ['no rule', undefined, ['rule']],
      ['no name', { limits: [MINUTE] }, ['rule.name']],
      ['no limit', { name: 'a', limits: [] }, ['rule.limits']],
      ['no window', { name: 'a', limits: [{ limit: 5 }] }, ['rule.limits[0].window']],
      [
        'part of a µs',
        { name: 'a', limits: [{ limit: 5, window: { nanos: 1 } }] },
        ['rule.limits[0].window'],
      ],
      ['a log too large', { name: 'a', limits: [{ ...MINUTE, limit: 100_001 }] }, ['rule.limits[0].limit']],
      ['a name twice', { name: 'a', limits: [MINUTE, MINUTE] }, ['rule.limits[1].name']],
      ['an empty role', { name: 'a', limits: [MINUTE], bypassRoles: [''] }, ['rule.bypass_roles']],
      [
        'an override without limits',
        { name: 'a', limits: [MINUTE], overrides: [{ identifier: 'x' }] },
        ['rule.overrides[0].limits'],
      ],
      [
        'several faults',
        { name: ' ', limits: [{ limit: 0 }] },
        ['rule.name', 'rule.limits[0].limit', 'rule.limits[0].window'],
      ],
    ])('are not created with %s', async (_, rule, fields) => {
      const error = await failure(admin().createRule(rule === undefined ? {} : { rule }));
      expect(error.code).toBe(Code.InvalidArgument);
      expect(fieldsOf(error)).toEqual(fields);
    });

    it.each<[string, RuleInit | undefined, string[], string[]]>([
      ['no rule', undefined, [], ['rule']],
      ['no name', {}, [], ['rule.name']],
      ['an unknown field in the mask', { name: 'auth_login' }, ['etag'], ['update_mask']],
      ['a mask of * and others', { name: 'auth_login', onStoreFailure: 1 }, ['*', 'mode'], ['update_mask']],
      ['a policy that is not set', { name: 'auth_login' }, ['on_store_failure'], ['rule.on_store_failure']],
      ['no limits any more', { name: 'auth_login' }, ['limits'], ['rule.limits']],
      [
        'a bad limit',
        { name: 'auth_login', limits: [{ ...MINUTE, limit: 0 }] },
        [],
        ['rule.limits[0].limit'],
      ],
    ])('are not updated with %s', async (_, rule, paths, fields) => {
      const call = admin().updateRule(rule === undefined ? {} : { rule, updateMask: { paths } });
      const error = await failure(call);
      expect(error.code).toBe(Code.InvalidArgument);
      expect(fieldsOf(error)).toEqual(fields);
      expect((await admin().getRule({ name: 'auth_login' })).rule?.origin).toBe(RuleOrigin.BUILT_IN);
    });

    it.each([
      [{ pageSize: -1 }, 'page_size'],
      [{ pageSize: 1_001 }, 'page_size'],
      [{ pageToken: 'guess' }, 'page_token'],
      [{ pageToken: Buffer.from('after:a b').toString('base64url') }, 'page_token'],
    ])('are not listed with %j', async (request, field) => {
      const error = await failure(admin().listRules(request));
      expect([error.code, fieldsOf(error)]).toEqual([Code.InvalidArgument, [field]]);
    });

    it('tell apart why a change is refused', async () => {
      const name = newName();
      const outcome = async (call: Promise<unknown>) => {
        const error = await failure(call);
        return [error.code, reasonOf(error)];
      };
      const mode = RuleMode.SHADOW;
      const notFound = [Code.NotFound, 'RULE_NOT_FOUND'];
      expect(await outcome(admin().updateRule({ rule: { name, mode } }))).toEqual(notFound);
      expect(await outcome(admin().deleteRule({ name }))).toEqual(notFound);
      const exists = [Code.AlreadyExists, 'RULE_ALREADY_EXISTS'];
      expect(await outcome(admin().createRule({ rule: ruleOf('auth_login') }))).toEqual(exists);
      const changed = [Code.Aborted, 'RULE_ETAG_MISMATCH'];
      const other = { rule: { name: 'auth_login', mode, etag: 'other' } };
      expect(await outcome(admin().updateRule(other))).toEqual(changed);
      const notLive = [Code.FailedPrecondition, 'RULE_NOT_LIVE'];
      expect(await outcome(admin().deleteRule({ name: 'api_default' }))).toEqual(notLive);
      expect(await outcome(admin().deleteRule({ name: ' ' }))).toEqual([
        Code.InvalidArgument,
        'INVALID_REQUEST',
      ]);
    });
  });
});

describe('two replicas', () => {
  it('enforce a rule that one of them was told, within a second', async () => {
    await using one = await startTestRateLimit({ REDIS_URL: testRedisUrl() });
    await using two = await startTestRateLimit({ REDIS_URL: testRedisUrl() });
    const name = newName();
    await adminClient(one).createRule({ rule: ruleOf(name) });
    const start = performance.now();
    const client = rateLimitClient(two, 'gRPC');
    await vi.waitFor(
      async () => expect((await client.checkLimit({ endpoint: name, identifier: 'x' })).rule).toBe(name),
      { timeout: 5_000, interval: 20 },
    );
    expect(performance.now() - start).toBeLessThan(1_000);
  });

  it('let exactly one of two admins win who change a rule at the same time', async () => {
    await using one = await startTestRateLimit({ REDIS_URL: testRedisUrl() });
    await using two = await startTestRateLimit({ REDIS_URL: testRedisUrl() });
    const name = newName();
    const { rule } = await adminClient(one).createRule({ rule: ruleOf(name) });
    const outcomes = await Promise.allSettled(
      [one, two].map((replica, index) =>
        adminClient(replica).updateRule({
          rule: { name, limits: [{ ...MINUTE, limit: 10 + index }], etag: rule?.etag ?? '' },
        }),
      ),
    );
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const lost = outcomes.filter((each) => each.status === 'rejected');
    expect(lost).toMatchObject([{ reason: { code: Code.Aborted } }]);
  });
});

describe('RATELIMIT_RULES_FILE', () => {
  const rulesText = (limit: number) =>
    `rules:\n  - name: api_default\n    limits: [{ limit: ${limit}, window: 1m }]\n`;
  const newFile = async (text: string) => {
    const path = join(await mkdtemp(join(tmpdir(), 'rules-admin-')), 'rules.yaml');
    await writeFile(path, text);
    return path;
  };

  it('takes the place of the built-in rules, and is followed', async () => {
    const path = await newFile(rulesText(7));
    await using service = await startTestRateLimit({ RATELIMIT_RULES_FILE: path });
    const { rules } = await adminClient(service).listRules({});
    expect(rules.map(({ name, origin }) => [name, origin])).toEqual([['api_default', RuleOrigin.FILE]]);
    const limit = async () =>
      (await rateLimitClient(service, 'gRPC').checkLimit({ endpoint: 'a', identifier: 'b' })).limit;
    expect(await limit()).toBe(7);
    await writeFile(path, rulesText(8));
    await vi.waitFor(async () => expect(await limit()).toBe(8), { timeout: 5_000, interval: 20 });
  });

  it.each([
    ['missing', undefined, /^RATELIMIT_RULES_FILE .*ENOENT/],
    ['bad', rulesText(0), /^RATELIMIT_RULES_FILE .*rules\.yaml:3:16 rules\[0\]\.limits\[0\]\.limit must be/],
  ])('that is %s stops the start', async (_, text, problem) => {
    const path = text === undefined ? '/nowhere/rules.yaml' : await newFile(text);
    const start = startTestRateLimit({ RATELIMIT_RULES_FILE: path });
    await expect(start).rejects.toThrow(InvalidSettings);
    await expect(start).rejects.toThrow(problem);
  });
});
