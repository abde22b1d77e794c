import { create } from '@bufbuild/protobuf';
import { durationFromMs, timestampFromDate } from '@bufbuild/protobuf/wkt';
import {
  type LogSettings,
  LogSettingsSchema,
} from '../../../gen/optix/operations/v1/operations_service_pb.ts';
import type { LogSettings as Settings } from '../log-control.ts';
import { logLevelNumber } from '../log-level.ts';

/** What callers are told of what is logged. */
export function logSettingsMessage(settings: Settings): LogSettings {
  const { level, slowQueryThresholdMs, slowQueryPlans = false, expiresAt } = settings;
  return create(LogSettingsSchema, {
    level: logLevelNumber(level),
    slowQueryPlans,
    ...(slowQueryThresholdMs !== undefined && { slowQueryThreshold: durationFromMs(slowQueryThresholdMs) }),
    ...(expiresAt !== undefined && { expireTime: timestampFromDate(expiresAt) }),
  });
}
