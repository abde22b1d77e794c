import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Code, createClient } from '@connectrpc/connect';
import { codeToString } from '@connectrpc/connect/protocol-connect';
import { beforeAll, describe, expect, it } from 'vitest';
import { AuthenticationService } from '../gen/optix/identity/v1/authentication_service_pb.ts';
import { createTestDatabase } from '../testing/database.ts';
import { testRedisUrl } from '../testing/redis.ts';
import { rateLimitClient, servicesOf, startTestIdentity, startTestRateLimit } from '../testing/services.ts';
import {
  dashboardExpressions,
  dashboards,
  monitoringRules,
  runbookExpressions,
} from './testing-monitoring.ts';
import { metricsIn } from './testing-promql.ts';
import { ToldMetrics } from './testing-told-metrics.ts';

/** Labels that Prometheus puts on what it reads. */
const ADDED = ['job', 'instance'];
/** Labels whose values are a standard's: a status of HTTP, a class of SQLSTATE. */
const STANDARD = ['status', 'sqlstate'];

const rules = monitoringRules();
const told = new ToldMetrics(readFileSync(new URL('../docs/metrics.md', import.meta.url), 'utf8'));
beforeAll(async () => {
  await using database = await createTestDatabase();
  const redis = testRedisUrl();
  await using ratelimit = await startTestRateLimit({ REDIS_URL: redis });
  await using identity = await startTestIdentity({
    ...{ DATABASE_URL: database.url, REDIS_URL: redis, RATELIMIT_ADDRESS: ratelimit.grpcAddress },
  });
  const limiter = rateLimitClient(ratelimit, 'gRPC');
  for (let check = 0; check < 8; check++)
    await limiter.checkLimit({ endpoint: 'auth_login', identifier: 'a' });
  const auth = createClient(AuthenticationService, identity.transport('gRPC'));
  const account = { email: 'ada@example.com', password: 'correct horse battery staple' };
  const device = { ipAddress: '203.0.113.9' };
  await auth.register({ ...account, firstName: 'Ada', lastName: 'Lovelace', device });
  await auth.authenticate({ ...account, device });

  const deadline = performance.now() + 20_000;
  const isTold = (metric: string, label: string) => told.labelsOf(metric)?.has(label) === true;
  while (
    !isTold('optix_maintenance_task_last_success_timestamp_seconds', 'task') ||
    !isTold('nodejs_gc_duration_seconds_sum', 'kind')
  ) {
    if (performance.now() > deadline) throw new Error('no maintenance task, or no collection, in 20 s');
    await sleep(100);
    for (const { httpUrl } of [identity, ratelimit]) {
      const text = await (await fetch(`${httpUrl}/metrics`)).text();
      told.read(text);
      // Most tasks have ended well only later.
      for (const [, task = ''] of text.matchAll(/^optix_maintenance_task_lag_seconds\{task="(\w+)"\}/gm)) {
        told.knows('task', task);
      }
    }
  }
  for (const contracts of ['optix/identity/v1', 'optix/ratelimit/v1']) {
    for (const { methods } of await servicesOf(contracts)) {
      for (const { name } of methods) told.knows('method', name);
    }
  }
  // Of Envoy's APIs, as far as they are served.
  for (const name of ['Check', 'ShouldRateLimit']) told.knows('method', name);
  for (const code of Object.values(Code))
    if (typeof code === 'number') told.knows('code', codeToString(code));
});

/** Labels of recorded metrics: those that their expression groups by. */
const recorded = new Map(
  rules.flatMap(({ record, expr }) => {
    const labels = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, names = '']) => names.split(/,\s*/));
    return record === undefined ? [] : [[record, new Set(labels)] as const];
  }),
);

const labelsOf = (metric: string): ReadonlySet<string> | undefined =>
  metric === 'up' ? new Set<string>() : (recorded.get(metric) ?? told.labelsOf(metric));

/** What an expression reads and nobody tells: metrics, labels of metrics, and values of those. */
function unknownIn(expr: string): string[] {
  return metricsIn(expr).flatMap(({ metric, labels, values }) => {
    const has = labelsOf(metric);
    if (has === undefined) return [metric];
    return [
      ...[...labels].filter((label) => !ADDED.includes(label) && !has.has(label)),
      ...values.flatMap(([label, value]) =>
        [...ADDED, ...STANDARD].includes(label) || !has.has(label) || told.isValue(metric, label, value)
          ? []
          : [`${label}="${value}"`],
      ),
    ].map((what) => `${metric}{${what}}`);
  });
}

describe('what the services tell', () => {
  it.each(rules.map((rule) => ({ name: rule.record ?? rule.alert, ...rule })))(
    'has all that the rule $name reads',
    ({ expr, annotations = {} }) => {
      const uses = metricsIn(expr);
      expect(uses.length).toBeGreaterThan(0);
      expect(unknownIn(expr)).toEqual([]);
      const labels = new Set([...ADDED, ...uses.flatMap(({ metric }) => [...(labelsOf(metric) ?? [])])]);
      const shown = [...JSON.stringify(annotations).matchAll(/\$labels\.(\w+)/g)].map(
        ([, label]) => label ?? '',
      );
      expect(shown.filter((label) => !labels.has(label))).toEqual([]);
    },
  );

  it.each([...dashboards()])('has all that %s reads', (_, model) => {
    expect([...new Set(dashboardExpressions(model).flatMap(unknownIn))]).toEqual([]);
    for (const { definition } of model.templating.list) {
      const [, metric] = /^label_values\((\w+)/.exec(definition ?? '') ?? [];
      if (definition !== undefined) expect(labelsOf(metric ?? '')).toBeDefined();
    }
  });

  it('has all that the queries of the runbook read', () => {
    expect(runbookExpressions().length).toBeGreaterThan(0);
    expect(runbookExpressions().flatMap(unknownIn)).toEqual([]);
  });

  it('is missed where a metric, a label or a value is wrong', () => {
    expect(unknownIn('sum by (methode) (rate(optix_rpc_duration_seconds_count{codes="ok"}[5m]))')).toEqual([
      'optix_rpc_duration_seconds_count{codes}',
      'optix_rpc_duration_seconds_count{methode}',
    ]);
    expect(unknownIn('optix_store_upp == 0')).toEqual(['optix_store_upp']);
    expect(unknownIn('optix_store_up / on (job, stores) up')).toEqual([
      'optix_store_up{stores}',
      'up{stores}',
    ]);
    expect(unknownIn('rate(optix_identity_sign_ins_total{outcome=~"locked|lockd"}[5m])')).toEqual([
      'optix_identity_sign_ins_total{outcome="lockd"}',
    ]);
    expect(unknownIn('optix_rpc_duration_seconds_count{code="unavailabel",method="CheckLimit"}')).toEqual([
      'optix_rpc_duration_seconds_count{code="unavailabel"}',
    ]);
  });
});
