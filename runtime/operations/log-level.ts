import { LogLevel } from '../../gen/optix/operations/v1/operations_service_pb.ts';

/** The levels of the log, from the one that has everything to the one that has nothing. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

/** By its name, as LOG_LEVEL has it. */
export type LogLevelName = (typeof LOG_LEVELS)[number];

/** The number that the contract has for a level. */
export function logLevelNumber(level: LogLevelName): LogLevel {
  return LogLevel[level.toUpperCase() as Uppercase<LogLevelName>];
}

/** Undefined for a number that stands for none. */
export function logLevelName(level: LogLevel): LogLevelName | undefined {
  return LOG_LEVELS.find((name) => logLevelNumber(name) === level);
}
