import { commonSettings } from '../runtime/common-settings.ts';
import { InvalidSettings, integerSetting, readSettings, type SettingValues } from '../runtime/settings.ts';
import { postgresUrlSetting, redisUrlSetting } from '../runtime/store-urls.ts';
import { freePort, isPortFree } from './ports.ts';

/** 0 would let the system choose, and then nobody could tell where the service is. */
const PORT = { min: 1, max: 65_535 };

/** What the stack has to know of the services' settings to start and to watch them. They read the rest themselves. */
const settings = {
  environment: commonSettings.environment,
  bindAddress: commonSettings.bindAddress,
  shutdownDelayMs: commonSettings.shutdownDelayMs,
  shutdownTimeoutMs: commonSettings.shutdownTimeoutMs,
  databaseUrl: postgresUrlSetting(),
  redisUrl: redisUrlSetting('Redis.'),
  identityGrpcPort: integerSetting('IDENTITY_GRPC_PORT', 50_051, PORT, "identity's gRPC port."),
  identityHttpPort: integerSetting('IDENTITY_HTTP_PORT', 8081, PORT, "identity's HTTP port."),
  ratelimitGrpcPort: integerSetting('RATELIMIT_GRPC_PORT', 50_052, PORT, "ratelimit's gRPC port."),
  ratelimitHttpPort: integerSetting('RATELIMIT_HTTP_PORT', 8082, PORT, "ratelimit's HTTP port."),
};

/** Names of the settings whose values are ports of the services. */
const PORTS = ['identityGrpcPort', 'identityHttpPort', 'ratelimitGrpcPort', 'ratelimitHttpPort'] as const;

/** An unset database means the embedded PostgreSQL; an unset Redis means one from PATH, or none. */
export interface StackSettings extends SettingValues<typeof settings> {
  /** The host under which this machine reaches the services, for URLs. */
  readonly host: string;
}

/**
 * Reads what `optix start` needs from the environment.
 *
 * @throws InvalidSettings naming the variables; also for production without stores of its own.
 */
export function readStackSettings(env: Readonly<Record<string, string | undefined>>): StackSettings {
  const values = readSettings(settings, env);
  const { databaseUrl, redisUrl } = values;
  if (values.environment === 'production') {
    const missing = Object.entries({ DATABASE_URL: databaseUrl, REDIS_URL: redisUrl }).filter(
      ([, url]) => !url,
    );
    const problem = 'must be set when ENVIRONMENT=production: the embedded store is for development';
    if (missing.length > 0) throw new InvalidSettings(missing.map(([name]) => `${name} ${problem}`));
  }
  const anywhere: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };
  const address = anywhere[values.bindAddress] ?? values.bindAddress;
  return {
    ...values,
    host: address.includes(':') ? `[${address}]` : address,
  };
}

/**
 * Looks whether the services will get their ports, before anything is started for them.
 *
 * @throws InvalidSettings naming the variable of each port that is taken, or given to two of them.
 */
export async function requireFreePorts(values: StackSettings): Promise<void> {
  await requireOwnAddress(values.bindAddress);
  const problems: string[] = [];
  const users = new Map<number, string>();
  for (const key of PORTS) {
    const { env } = settings[key];
    const port = values[key];
    const other = users.get(port);
    users.set(port, env);
    if (other) problems.push(`${env} is ${port}, and so is ${other}`);
    else if (!(await isPortFree(port, values.bindAddress))) {
      problems.push(`${env} is ${port}, which another program uses on ${values.bindAddress}`);
    }
  }
  if (problems.length > 0) throw new InvalidSettings(problems);
}

async function requireOwnAddress(address: string): Promise<void> {
  try {
    await freePort(address);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new InvalidSettings([`BIND_ADDRESS is ${address}, where this machine can't listen (${code})`]);
  }
}
