import { isIPv6 } from 'node:net';
import {
  booleanSetting,
  choiceSetting,
  integerSetting,
  secretSetting,
  textSetting,
} from '../../../runtime/settings.ts';

/** The rate limiter that sign-ins are asked of. */
export const limiterSettings = {
  rateLimitEnabled: booleanSetting(
    'RATE_LIMIT_ENABLED',
    true,
    'false asks the rate limiter nothing and limits nothing.',
  ),
  rateLimitAddress: textSetting(
    'RATELIMIT_ADDRESS',
    '127.0.0.1:50052',
    'Where the rate limiter is: `host:port` of its gRPC API (`[::1]:50052` for IPv6).',
    grpcTargetProblem,
  ),
  rateLimitApiKey: secretSetting(
    'RATELIMIT_API_KEY',
    'The API key that identity calls the rate limiter with.',
    parseApiKey,
  ),
  rateLimitTimeoutMs: integerSetting(
    'RATELIMIT_TIMEOUT_MS',
    250,
    { min: 1, max: 10_000 },
    'How long to wait for the rate limiter, in milliseconds.',
  ),
  rateLimitOnUnavailable: choiceSetting(
    'RATELIMIT_ON_UNAVAILABLE',
    'deny',
    ['deny', 'allow'],
    'What becomes of sign-ins while the rate limiter can not be asked: `deny` refuses them with UNAVAILABLE, `allow` serves them unlimited.',
  ),
};

/** Targets as in https://github.com/grpc/grpc/blob/master/doc/naming.md, as far as they are of use here. */
function grpcTargetProblem(text: string): string | undefined {
  if (/^(dns|unix):\S+$/.test(text)) return undefined;
  const [, address, host, port] = /^(?:\[([\da-fA-F:.]+)\]|([A-Za-z\d._-]+)):(\d{1,5})$/.exec(text) ?? [];
  const isHost = address === undefined ? host !== undefined : isIPv6(address);
  if (isHost && Number(port) >= 1 && Number(port) <= 65_535) return undefined;
  return 'must be host:port, or a gRPC target that starts with dns: or unix:';
}

/** The key becomes a header's value; the gRPC library would quote one it can't send in its error. */
function parseApiKey(text: string): string {
  if (!/^[\x21-\x7e]+$/.test(text)) throw new Error('must be printable ASCII characters without spaces');
  return text;
}
