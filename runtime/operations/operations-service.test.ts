import { durationFromMs, durationMs, timestampMs } from '@bufbuild/protobuf/wkt';
import { Code, createClient, createRouterTransport } from '@connectrpc/connect';
import { describe, expect, it, vi } from 'vitest';
import {
  LogLevel,
  type LogSettings,
  OperationsService,
} from '../../gen/optix/operations/v1/operations_service_pb.ts';
import { collectingLogger } from '../../testing/collecting-logger.ts';
import { failure, fieldsOf, reasonOf } from '../../testing/failure.ts';
import { AccessControl } from '../callers/access-control.ts';
import { Policy } from '../callers/policy.ts';
import { Pipeline } from '../pipeline.ts';
import { methodName } from '../service-table.ts';
import { toOperationsRpcError } from './errors.ts';
import { LogControl } from './log-control.ts';
import { logLevelName } from './log-level.ts';
import { operationsServiceRules, operationsServiceTable } from './operations-service.ts';

const DOMAIN = 'test.optix';
const policy = new Policy({
  rpcs: Object.fromEntries(
    OperationsService.methods.map((method) => [methodName(method), 'operations.admin']),
  ),
  defaultScopes: [],
});

/** OperationsService behind a pipeline, for the caller `ops`. */
function operations(slowQueries?: { thresholdMs: number; plans: boolean }) {
  const { logger, entries } = collectingLogger();
  logger.level = 'info';
  const control = new LogControl({ logger, slowQueries });
  const pipeline = new Pipeline({
    domain: DOMAIN,
    logger,
    accessLog: 'off',
    access: new AccessControl({
      domain: DOMAIN,
      policy,
      adminRpcs: true,
      authenticator: {
        authenticate: () => ({ name: 'ops', scopes: policy.scopes, credential: 'api_key' }),
        callersOf: () => undefined,
      },
    }),
    rules: operationsServiceRules,
    mapError: (error) => toOperationsRpcError(error, DOMAIN),
  });
  const table = pipeline.wrap(operationsServiceTable(control));
  const transport = createRouterTransport((router) =>
    router.service(OperationsService, table.handlers as never),
  );
  return { client: createClient(OperationsService, transport), control, logger, entries };
}

function shown(settings: LogSettings | undefined) {
  const { level = LogLevel.UNSPECIFIED, slowQueryThreshold, slowQueryPlans, expireTime } = settings ?? {};
  return {
    level: logLevelName(level)?.toUpperCase(),
    thresholdMs: slowQueryThreshold && durationMs(slowQueryThreshold),
    plans: slowQueryPlans,
    expires: expireTime !== undefined,
  };
}

describe('the settings of the log', () => {
  it('are told as they are, those of slow queries where there is a database', async () => {
    const one = await operations().client.getLogSettings({});
    expect(shown(one.logSettings)).toEqual({ level: 'INFO', plans: false, expires: false });
    const other = await operations({ thresholdMs: 500, plans: true }).client.getLogSettings({});
    expect(shown(other.logSettings)).toEqual({
      level: 'INFO',
      thresholdMs: 500,
      plans: true,
      expires: false,
    });
  });

  it('change at once, and the log says who changed what', async () => {
    const slowQueries = { thresholdMs: 500, plans: false };
    const { client, logger, entries } = operations(slowQueries);
    const { logSettings } = await client.updateLogSettings({
      logSettings: { level: LogLevel.DEBUG, slowQueryThreshold: durationFromMs(0), slowQueryPlans: true },
    });
    expect(shown(logSettings)).toEqual({ level: 'DEBUG', thresholdMs: 0, plans: true, expires: false });
    expect([logger.level, slowQueries]).toEqual(['debug', { thresholdMs: 0, plans: true }]);
    expect(entries).toEqual([
      expect.objectContaining({
        level: 40,
        msg: 'what is logged was changed',
        caller: 'ops',
        before: { level: 'info', slow_query_threshold_ms: 500, slow_query_plans: false },
        after: { level: 'debug', slow_query_threshold_ms: 0, slow_query_plans: true },
      }),
    ]);
  });

  it('are those of the mask, also where these are empty; without a mask those that are set', async () => {
    const slowQueries = { thresholdMs: 500, plans: true };
    const { client } = operations(slowQueries);
    const logSettings = { level: LogLevel.ERROR, slowQueryPlans: false };
    const masked = await client.updateLogSettings({
      logSettings,
      updateMask: { paths: ['slow_query_plans'] },
    });
    expect(shown(masked.logSettings)).toMatchObject({ level: 'INFO', thresholdMs: 500, plans: false });
    slowQueries.plans = true;
    const set = await client.updateLogSettings({ logSettings, updateMask: { paths: [] } });
    expect(shown(set.logSettings)).toMatchObject({ level: 'ERROR', thresholdMs: 500, plans: true });
  });

  it('can be sent back as they came: what is output only counts for nothing', async () => {
    const { client } = operations();
    const { logSettings } = await client.updateLogSettings({
      logSettings: { level: LogLevel.DEBUG },
      ttl: durationFromMs(60_000),
    });
    if (logSettings === undefined) throw new Error('no settings came');
    expect(shown((await client.updateLogSettings({ logSettings })).logSettings)).toMatchObject({
      expires: false,
    });
  });

  it.each([
    ['fatal', 'silent'],
    ['silent', 'fatal'],
    ['info', 'silent'],
  ] as const)(
    'are logged when they change from %s to %s, though neither may have warnings',
    async (from, to) => {
      const { client, logger, entries } = operations();
      logger.level = from;
      await client.updateLogSettings({
        logSettings: { level: LogLevel[to.toUpperCase() as 'SILENT' | 'FATAL'] },
      });
      logger.warn('after that');
      expect(entries).toEqual([
        expect.objectContaining({ msg: 'what is logged was changed', caller: 'ops' }),
      ]);
      expect(logger.level).toBe(to);
    },
  );
});

describe('a change for a while', () => {
  it('ends after it, with all that was changed before', async () => {
    const slowQueries = { thresholdMs: 500, plans: false };
    const { client, logger, entries } = operations(slowQueries);
    await client.updateLogSettings({ logSettings: { slowQueryPlans: true } });
    const before = Date.now();
    const { logSettings } = await client.updateLogSettings({
      logSettings: { level: LogLevel.TRACE },
      ttl: durationFromMs(1000),
    });
    const expires = logSettings?.expireTime === undefined ? 0 : timestampMs(logSettings.expireTime);
    expect(expires - before).toBeGreaterThanOrEqual(1000);
    expect(expires - Date.now()).toBeLessThanOrEqual(1000);
    await vi.waitFor(() => expect(logger.level).toBe('info'), { timeout: 3000 });
    expect(slowQueries).toEqual({ thresholdMs: 500, plans: false });
    expect(shown((await client.getLogSettings({})).logSettings).expires).toBe(false);
    expect(entries.at(-1)).toMatchObject({
      msg: 'what is logged is again what the process was started with',
      before: { level: 'trace', expires_at: new Date(expires).toISOString() },
      after: { level: 'info' },
    });
  });

  it('takes the time of the next one', async () => {
    const { control, logger } = operations();
    control.update({ level: 'debug' }, 20, 'ops');
    control.update({ level: 'trace' }, undefined, 'ops');
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect([logger.level, control.settings.expiresAt]).toEqual(['trace', undefined]);
    control.update({ level: 'debug' }, 10_000, 'ops');
    control.update({ level: 'warn' }, 20, 'ops');
    await vi.waitFor(() => expect(logger.level).toBe('info'));
  });

  it('keeps nothing alive, and ends with the service', async () => {
    const { control, logger } = operations();
    control.update({ level: 'debug' }, 20, 'ops');
    control[Symbol.dispose]();
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(logger.level).toBe('debug');
  });
});

describe('a bad request', () => {
  const threshold = 'log_settings.slow_query_threshold';
  it.each([
    ['nothing', {}, ['log_settings']],
    ['no change', { logSettings: {} }, ['log_settings']],
    ['an unknown field', { logSettings: {}, updateMask: { paths: ['level', 'colour'] } }, ['update_mask']],
    ['the output', { logSettings: {}, updateMask: { paths: ['expire_time'] } }, ['update_mask']],
    ['no level', { logSettings: {}, updateMask: { paths: ['level'] } }, ['log_settings.level']],
    ['an unknown level', { logSettings: { level: 99 as LogLevel } }, ['log_settings.level']],
    ['no threshold', { logSettings: {}, updateMask: { paths: ['slow_query_threshold'] } }, [threshold]],
    [
      'a threshold of less than a millisecond',
      { logSettings: { slowQueryThreshold: { seconds: 0n, nanos: 400_000 } } },
      [threshold],
    ],
    ['a threshold below zero', { logSettings: { slowQueryThreshold: durationFromMs(-1) } }, [threshold]],
    [
      'a threshold of an hour',
      { logSettings: { slowQueryThreshold: durationFromMs(3_600_000) } },
      [threshold],
    ],
    ['half a second', { logSettings: { level: LogLevel.WARN }, ttl: durationFromMs(500) }, ['ttl']],
    ['eight days', { logSettings: { level: LogLevel.WARN }, ttl: durationFromMs(8 * 86_400_000) }, ['ttl']],
  ])('with %s is refused by its field, and changes nothing', async (_, request, fields) => {
    const slowQueries = { thresholdMs: 500, plans: false };
    const { client, logger, entries } = operations(slowQueries);
    const error = await failure(client.updateLogSettings(request));
    expect([error.code, fieldsOf(error)]).toEqual([Code.InvalidArgument, fields]);
    expect([logger.level, slowQueries, entries]).toEqual(['info', { thresholdMs: 500, plans: false }, []]);
  });

  it('about slow queries is refused by a service without a database', async () => {
    const { client, logger, entries } = operations();
    for (const change of [{ slowQueryPlans: true }, { slowQueryThreshold: durationFromMs(1) }]) {
      const error = await failure(
        client.updateLogSettings({ logSettings: { level: LogLevel.DEBUG, ...change } }),
      );
      expect([error.code, reasonOf(error)]).toEqual([Code.FailedPrecondition, 'NO_DATABASE']);
    }
    expect([logger.level, entries]).toEqual(['info', []]);
  });
});
