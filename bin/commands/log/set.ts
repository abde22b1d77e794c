import type { MessageInitShape } from '@bufbuild/protobuf';
import { type Duration, durationFromMs } from '@bufbuild/protobuf/wkt';
import type { UpdateLogSettingsRequestSchema } from '../../../gen/optix/operations/v1/operations_service_pb.ts';
import { LOG_LEVELS, logLevelNumber } from '../../../runtime/operations/log-level.ts';
import { parseWindow } from '../../../services/ratelimit/storage/window-text.ts';
import { EXIT } from '../../output/exit-code.ts';
import { readArguments } from '../../output/read-arguments.ts';
import { UsageError } from '../../usage.ts';
import { CONNECTION_FLAGS, CONNECTION_HELP, withOperations } from './connect.ts';
import { printSettings } from './print-settings.ts';

const HELP = `Usage: optix log set --service identity|ratelimit [options]

Changes what a running process logs, without a restart. The log says who did it.

  --level LEVEL         the least level that is logged: ${LOG_LEVELS.join(', ')}
  --slow-query TIME     log statements that take this long, such as 100ms; off for none (identity)
  --plans               log the plans of slow statements too; --no-plans do not
  --for TIME            after so long, such as 10m, what the process was started with applies again: 1s to 7d; without it
                        at the end of the process. Counts for earlier changes too
${CONNECTION_HELP}

  optix log set --service identity --level debug --for 10m
  optix log set --service identity --slow-query 100ms --plans --for 1h`;

const OPTIONS = {
  ...CONNECTION_FLAGS,
  level: { type: 'string' },
  'slow-query': { type: 'string' },
  plans: { type: 'boolean' },
  'no-plans': { type: 'boolean' },
  for: { type: 'string' },
} as const;

interface ChangeFlags {
  readonly level?: string | undefined;
  readonly 'slow-query'?: string | undefined;
  readonly plans?: boolean | undefined;
  readonly 'no-plans'?: boolean | undefined;
  readonly for?: string | undefined;
}

/** `optix log set`: changes what a process logs. */
export async function setLog(args: string[]): Promise<number> {
  const read = readArguments({ name: 'log set', help: HELP, options: OPTIONS }, args);
  if (read === undefined) return EXIT.DONE;
  const request = requestOf(read.values);
  const { logSettings } = await withOperations(read.values, (client) => client.updateLogSettings(request));
  printSettings(logSettings, read.values.json);
  return EXIT.DONE;
}

function requestOf(flags: ChangeFlags): MessageInitShape<typeof UpdateLogSettingsRequestSchema> {
  const { level, 'slow-query': slow, plans, 'no-plans': noPlans, for: time } = flags;
  if (plans && noPlans) throw new UsageError('log set: --plans and --no-plans contradict each other');
  const changes = [
    level !== undefined && { path: 'level', value: { level: levelOf(level) } },
    slow !== undefined && {
      path: 'slow_query_threshold',
      value: {
        slowQueryThreshold: slow === 'off' ? durationFromMs(0) : timeOf('--slow-query', slow, '100ms'),
      },
    },
    (plans || noPlans) && { path: 'slow_query_plans', value: { slowQueryPlans: plans === true } },
  ].filter((change) => change !== false && change !== undefined);
  if (changes.length === 0) {
    throw new UsageError('log set: --level, --slow-query, --plans or --no-plans must be given');
  }
  return {
    logSettings: Object.assign({}, ...changes.map(({ value }) => value)),
    updateMask: { paths: changes.map(({ path }) => path) },
    ...(time !== undefined && { ttl: timeOf('--for', time, '10m') }),
  };
}

function levelOf(text: string) {
  const level = LOG_LEVELS.find((each) => each === text.toLowerCase());
  if (level !== undefined) return logLevelNumber(level);
  throw new UsageError(`log set: --level must be one of ${LOG_LEVELS.join(', ')}, not "${text}"`);
}

function timeOf(flag: string, text: string, example: string): Duration {
  const micros = parseWindow(text);
  if (micros > 0) return durationFromMs(micros / 1000);
  throw new UsageError(`log set: ${flag} must be a time such as ${example}, not "${text}"`);
}
