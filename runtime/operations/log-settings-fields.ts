import { durationMs } from '@bufbuild/protobuf/wkt';
import {
  LogLevel,
  type LogSettings,
  type UpdateLogSettingsRequest,
} from '../../gen/optix/operations/v1/operations_service_pb.ts';
import type { LogChange } from './log-control.ts';
import { logLevelName } from './log-level.ts';

/** A field that an update can change. */
export interface LogSettingsField {
  /** Its name in a mask. */
  readonly path: string;
  readonly isSet: (settings: LogSettings) => boolean;
  readonly change: (settings: LogSettings) => LogChange;
}

export const LOG_SETTINGS_FIELDS: readonly LogSettingsField[] = [
  {
    path: 'level',
    isSet: ({ level }) => level !== LogLevel.UNSPECIFIED,
    change({ level }) {
      const name = logLevelName(level);
      return name === undefined ? {} : { level: name };
    },
  },
  {
    path: 'slow_query_threshold',
    isSet: ({ slowQueryThreshold }) => slowQueryThreshold !== undefined,
    change: ({ slowQueryThreshold: threshold }) =>
      threshold === undefined ? {} : { slowQueryThresholdMs: durationMs(threshold) },
  },
  {
    path: 'slow_query_plans',
    isSet: ({ slowQueryPlans }) => slowQueryPlans,
    change: ({ slowQueryPlans }) => ({ slowQueryPlans }),
  },
];

/** The fields that a request changes: those of its mask; without one, those that are set (https://google.aip.dev/134). */
export function changingFields({
  logSettings,
  updateMask,
}: UpdateLogSettingsRequest): readonly LogSettingsField[] {
  const paths = updateMask?.paths ?? [];
  if (paths.length > 0) return LOG_SETTINGS_FIELDS.filter(({ path }) => paths.includes(path));
  return LOG_SETTINGS_FIELDS.filter(({ isSet }) => logSettings !== undefined && isSet(logSettings));
}

/** What a request that keeps its rules changes. */
export function changeOf(request: UpdateLogSettingsRequest): LogChange {
  const { logSettings } = request;
  if (logSettings === undefined) throw new TypeError('the request has no log_settings');
  return Object.assign({}, ...changingFields(request).map(({ change }) => change(logSettings)));
}
