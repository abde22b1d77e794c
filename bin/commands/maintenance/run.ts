import { setTimeout as sleep } from 'node:timers/promises';
import { type Timestamp, timestampMs } from '@bufbuild/protobuf/wkt';
import {
  MaintenanceService,
  type MaintenanceTask,
  MaintenanceTaskSchema,
} from '../../../gen/optix/identity/v1/maintenance_service_pb.ts';
import { EXIT } from '../../output/exit-code.ts';
import { messageJson, printJson } from '../../output/message-json.ts';
import { readArguments } from '../../output/read-arguments.ts';
import { openWaiting } from '../../output/waiting.ts';
import { UsageError } from '../../usage.ts';
import { CONNECTION_FLAGS, callService } from '../call-service.ts';
import { IDENTITY_ADDRESS, IDENTITY_FLAGS_HELP } from '../identity-address.ts';
import { taskTable } from './task-table.ts';

const HELP = `Usage: optix maintenance run <task> [options]

Has a task run as soon as may be, and waits for its end. Ends with 0 where it went well, with 3 where it failed, and
with 1 where it did not end in time. optix maintenance status names the tasks.

  --timeout N           wait for N seconds, 1 to 86400 (600); the task goes on after that
  --no-wait             do not wait
${IDENTITY_FLAGS_HELP}

  optix maintenance run partitions`;

const POLL_MS = 250;
const OPTIONS = {
  ...CONNECTION_FLAGS,
  timeout: { type: 'string' },
  'no-wait': { type: 'boolean' },
} as const;

/** `optix maintenance run`: has a task run now. */
export async function runMaintenance(args: string[]): Promise<number> {
  const form = { name: 'maintenance run', help: HELP, options: OPTIONS, positionals: ['task'] };
  const read = readArguments(form, args);
  if (read === undefined) return EXIT.DONE;
  const {
    values: flags,
    positionals: [name = ''],
  } = read;
  const timeoutMs = 1000 * secondsOf(flags.timeout);
  const task = await callService(MaintenanceService, IDENTITY_ADDRESS, flags, async (client) => {
    const { task: asked } = await client.runMaintenanceTask({ name });
    if (flags['no-wait']) return asked;
    const state = async () =>
      (await client.getMaintenanceStatus({})).tasks.find((each) => each.name === name);
    return await untilRun(asked, state, timeoutMs);
  });
  if (task === undefined) throw new Error(`the service no longer tells of the task ${name}`);
  if (flags.json) printJson(messageJson(MaintenanceTaskSchema, task));
  else console.log(taskTable([task]));
  return flags['no-wait'] || task.lastError === '' ? EXIT.DONE : EXIT.NO;
}

/** The task after the run that was asked for, and after those that followed because there was more to do. */
async function untilRun(
  asked: MaintenanceTask | undefined,
  state: () => Promise<MaintenanceTask | undefined>,
  timeoutMs: number,
): Promise<MaintenanceTask | undefined> {
  const deadline = performance.now() + timeoutMs;
  const due = msOf(asked?.nextRunTime);
  let task = asked;
  using _waiting = openWaiting(process.stderr, () =>
    task?.running ? `${task.name} runs, ${task.totalCount} in all` : `waiting for ${asked?.name} to begin`,
  );
  while (performance.now() < deadline) {
    task = await state();
    if (task === undefined || hasRun(task, due)) return task;
    await sleep(POLL_MS);
  }
  throw new Error(`${asked?.name} has not ended after ${timeoutMs / 1000} s (optix maintenance status)`);
}

/** All times are the database's. */
function hasRun(
  { running, lastStartTime, lastFinishTime, nextRunTime, lastError }: MaintenanceTask,
  due: number,
) {
  const finishedAt = msOf(lastFinishTime);
  if (running || msOf(lastStartTime) < due || finishedAt < msOf(lastStartTime)) return false;
  return lastError !== '' || msOf(nextRunTime) > finishedAt;
}

function msOf(time: Timestamp | undefined): number {
  return time === undefined ? 0 : timestampMs(time);
}

function secondsOf(text = '600'): number {
  const seconds = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (seconds >= 1 && seconds <= 86_400) return seconds;
  throw new UsageError(
    `maintenance run: --timeout must be a number of seconds from 1 to 86400, not "${text}"`,
  );
}
