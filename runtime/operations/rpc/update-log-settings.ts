import { durationMs } from '@bufbuild/protobuf/wkt';
import type { MethodImpl } from '@connectrpc/connect';
import {
  type OperationsService,
  UpdateLogSettingsRequestSchema,
} from '../../../gen/optix/operations/v1/operations_service_pb.ts';
import { callerOf } from '../../call-context.ts';
import { requestRules } from '../../validation.ts';
import type { LogControl } from '../log-control.ts';
import { logLevelName } from '../log-level.ts';
import { changeOf, changingFields, LOG_SETTINGS_FIELDS } from '../log-settings-fields.ts';
import { logSettingsMessage } from './log-settings-message.ts';

/** As DATABASE_SLOW_QUERY_MS. */
const MAX_THRESHOLD_MS = 600_000;
const MIN_TTL_MS = 1000;
const MAX_TTL_MS = 7 * 86_400_000;
/** Who is said to have changed it where authentication is off. */
const NOBODY = '(no authentication)';

/** The bounds of UpdateLogSettings. */
export const updateLogSettingsRules = requestRules(UpdateLogSettingsRequestSchema, (request, violations) => {
  const { logSettings, updateMask, ttl } = request;
  const ttlMs = ttl === undefined ? MIN_TTL_MS : durationMs(ttl);
  if (!(ttlMs >= MIN_TTL_MS && ttlMs <= MAX_TTL_MS)) violations.add('ttl', 'must be from 1 second to 7 days');
  const isUnknown = (path: string) => LOG_SETTINGS_FIELDS.every((field) => field.path !== path);
  if (updateMask?.paths.some(isUnknown)) {
    const known = LOG_SETTINGS_FIELDS.map(({ path }) => path).join(', ');
    violations.add('update_mask', `must have only ${known}`);
    return;
  }
  if (logSettings === undefined) {
    violations.add('log_settings', 'must be set');
    return;
  }
  const changing = changingFields(request).map(({ path }) => path);
  if (changing.length === 0) violations.add('log_settings', 'must have a field that is to change');
  if (changing.includes('level') && logLevelName(logSettings.level) === undefined) {
    violations.add(
      'log_settings.level',
      'must be one of the levels, from LOG_LEVEL_TRACE to LOG_LEVEL_SILENT',
    );
  }
  if (!changing.includes('slow_query_threshold')) return;
  const { slowQueryThreshold: threshold } = logSettings;
  const ms = threshold === undefined ? Number.NaN : durationMs(threshold);
  // A part of a millisecond is no small threshold but 0, which is none.
  const isWhole = threshold !== undefined && threshold.nanos % 1_000_000 === 0;
  if (!(ms >= 0 && ms <= MAX_THRESHOLD_MS && isWhole)) {
    violations.add('log_settings.slow_query_threshold', 'must be whole milliseconds from 0 to 10 minutes');
  }
});

/** optix.operations.v1.OperationsService/UpdateLogSettings */
export function updateLogSettings(
  control: LogControl,
): MethodImpl<typeof OperationsService.method.updateLogSettings> {
  return (request, context) => {
    const ttlMs = request.ttl === undefined ? undefined : durationMs(request.ttl);
    const by = callerOf(context)?.name ?? NOBODY;
    return { logSettings: logSettingsMessage(control.update(changeOf(request), ttlMs, by)) };
  };
}
