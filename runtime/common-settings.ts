import { isIP } from 'node:net';
import {
  booleanSetting,
  choiceSetting,
  InvalidSettings,
  integerSetting,
  listSetting,
  type SettingValues,
  textSetting,
} from './settings.ts';

/** Settings that both services read, under the same names. */
export const commonSettings = {
  environment: choiceSetting(
    'ENVIRONMENT',
    'development',
    ['development', 'staging', 'production'],
    'Where this runs. `production` refuses to start with a default secret or without caller authentication.',
  ),
  debug: booleanSetting('DEBUG', false, 'Logs at level debug. Never shows secrets.'),
  logLevel: choiceSetting(
    'LOG_LEVEL',
    'info',
    ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    'The least level that is logged. DEBUG=true means debug.',
  ),
  bindAddress: textSetting(
    'BIND_ADDRESS',
    '127.0.0.1',
    'The IP address both ports listen on. Any other than loopback needs caller keys or a callers file.',
    (text) => (isIP(text) === 0 ? 'must be an IP address' : undefined),
  ),
  callersFile: textSetting(
    'CALLERS_FILE',
    undefined,
    'Who may call, beside the caller keys: a YAML file (docs/callers.md) of callers, their scopes, and their API keys, certificates and service tokens, read again when it changes. Unset: none.',
  ),
  adminRpcs: choiceSetting(
    'ADMIN_RPCS',
    'on',
    ['on', 'off'],
    'Whether this process serves the RPCs of administration: those whose scope ends in `.admin`, and rules.write and limits.reset. `off` refuses them with PERMISSION_DENIED, so that a deployment can serve them from a separate, internal replica only.',
  ),
  metrics: choiceSetting(
    'METRICS',
    'callers',
    ['callers', 'open', 'off'],
    'Who may read /metrics on the HTTP port, in the text format of Prometheus or in OpenMetrics: `callers` those that have the scope metrics.read (everybody, where no caller has to say who it is), `open` everybody who can reach the port, `off` nobody.',
  ),
  corsOrigins: listSetting(
    'CORS_ORIGINS',
    [],
    'Origins whose pages may call the HTTP port, between commas, for example `https://app.example.com`; `*` means all. Empty: none.',
    originProblem,
  ),
  maxMessageBytes: integerSetting(
    'MAX_MESSAGE_BYTES',
    1_048_576,
    { min: 1024, max: 67_108_864 },
    'The largest request message that is read, in bytes.',
  ),
  keepaliveTimeMs: integerSetting(
    'KEEPALIVE_TIME_MS',
    60_000,
    { min: 1000, max: 86_400_000 },
    'After this long without traffic a gRPC connection is pinged, in milliseconds.',
  ),
  keepaliveTimeoutMs: integerSetting(
    'KEEPALIVE_TIMEOUT_MS',
    20_000,
    { min: 1000, max: 600_000 },
    'A gRPC connection whose ping is not answered within this is closed, in milliseconds.',
  ),
  maxConnectionAgeMs: integerSetting(
    'MAX_CONNECTION_AGE_MS',
    0,
    { min: 0, max: 86_400_000 },
    'A gRPC connection takes new calls for so long, up to a tenth more or less, in milliseconds; then the client opens another, so that a replica that was added gets its share. Calls under way go on for up to two minutes. 0: for ever.',
  ),
  shutdownDelayMs: integerSetting(
    'SHUTDOWN_DELAY_MS',
    0,
    { min: 0, max: 600_000 },
    'How long to go on serving after NOT_SERVING was said, so that load balancers notice, in milliseconds.',
  ),
  shutdownTimeoutMs: integerSetting(
    'SHUTDOWN_TIMEOUT_MS',
    10_000,
    { min: 0, max: 600_000 },
    'How long calls in flight may take to finish at shutdown before they are cut off, in milliseconds.',
  ),
};

/** Origins are compared as browsers write them: lower case, no path, no default port. Another spelling never matches. */
function originProblem(text: string): string | undefined {
  if (text === '*' || (URL.canParse(text) && new URL(text).origin === text)) return undefined;
  return 'must be * or origins as browsers send them, such as https://app.example.com, without a path or a final slash';
}

/** Values of {@link commonSettings}. */
export type CommonSettings = SettingValues<typeof commonSettings>;

/** Whether an IP address can be reached from this machine only. */
function isLoopback(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\./.test(address);
}

/**
 * Refuses to serve without caller authentication where somebody else could call: in production, and on any address
 * but loopback. Caller keys and a callers file count.
 *
 * @param hasKeys whether the setting `keysEnv` is there
 * @throws InvalidSettings naming `keysEnv` and CALLERS_FILE.
 */
export function requireCallerAuthentication(
  settings: Pick<CommonSettings, 'environment' | 'bindAddress' | 'callersFile'>,
  keysEnv: string,
  hasKeys: boolean,
): void {
  if (hasKeys || settings.callersFile !== undefined) return;
  const other = commonSettings.callersFile.env;
  if (settings.environment === 'production') {
    throw new InvalidSettings([`${keysEnv} must be set when ENVIRONMENT=production, or ${other}`]);
  }
  if (!isLoopback(settings.bindAddress)) {
    throw new InvalidSettings([
      `${keysEnv} must be set when BIND_ADDRESS (${settings.bindAddress}) is not loopback, or ${other}`,
    ]);
  }
}
