import { type Logger, pino, stdSerializers } from 'pino';

/** Field names that are never logged, wherever an object carries them at its first two levels. */
const SECRET_FIELDS = [
  'password',
  'newPassword',
  'accessToken',
  'refreshToken',
  'token',
  'secret',
  'authorization',
  'passwordHash',
  'databaseUrl',
  'redisUrl',
  'redisSentinelPassword',
  'redisTlsKey',
];

/** JSON lines on standard output, one an event. */
export function createLogger(options: {
  readonly service: string;
  readonly level: string;
  readonly debug: boolean;
}): Logger {
  return pino({
    name: options.service,
    level: options.debug && options.level !== 'trace' ? 'debug' : options.level,
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: stdSerializers.err },
    redact: { paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`]), censor: '[redacted]' },
  });
}

export type { Logger };
