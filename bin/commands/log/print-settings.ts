import { create } from '@bufbuild/protobuf';
import {
  LogLevelSchema,
  type LogSettings,
  LogSettingsSchema,
} from '../../../gen/optix/operations/v1/operations_service_pb.ts';
import { enumName } from '../../output/enum-name.ts';
import { messageJson, printJson } from '../../output/message-json.ts';
import { tableText } from '../../output/table.ts';
import { durationText, timeText } from '../../output/time-text.ts';

const TITLES = ['level', 'slow statements', 'plans', 'until'] as const;

/** Prints what a process logs. */
export function printSettings(settings: LogSettings | undefined, json: boolean | undefined): void {
  const shown = settings ?? create(LogSettingsSchema);
  if (json) printJson(messageJson(LogSettingsSchema, shown));
  else console.log(tableText(TITLES, [rowOf(shown)]));
}

function rowOf({ level, slowQueryThreshold, slowQueryPlans, expireTime }: LogSettings): string[] {
  const hasDatabase = slowQueryThreshold !== undefined;
  const isOff = slowQueryThreshold?.seconds === 0n && slowQueryThreshold.nanos === 0;
  return [
    enumName(LogLevelSchema, level).toLowerCase(),
    isOff ? 'off' : durationText(slowQueryThreshold),
    hasDatabase ? (slowQueryPlans ? 'on' : 'off') : '',
    expireTime === undefined ? 'its end' : timeText(expireTime),
  ];
}
