import { InvalidFile } from '../../runtime/invalid-file.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Metrics } from '../../runtime/metrics/metrics.ts';
import { InvalidSettings } from '../../runtime/settings.ts';
import type { RateLimitConfig } from './config.ts';
import { ShouldLimit, type ShouldLimitOptions } from './domain/envoy/should-limit.ts';
import { envoySettings } from './envoy-settings.ts';
import { EnvoyStatistics } from './metrics/envoy-statistics.ts';
import type { EnvoyHeaders } from './rpc/envoy/envoy-headers.ts';
import { type OpenEnvoyConfig, openEnvoyConfig } from './storage/envoy/open-envoy-config.ts';

/** Envoy's rate-limit API, as the settings want it. */
export interface Envoy {
  readonly limits: Pick<ShouldLimit, 'decide'>;
  readonly headers: EnvoyHeaders;
}

export interface OpenEnvoyOptions extends Pick<ShouldLimitOptions, 'limiter' | 'rules' | 'onNotGivenBack'> {
  readonly config: Pick<
    RateLimitConfig,
    'envoyConfig' | 'envoyMergeDomains' | 'envoyHeaders' | 'envoyOnStoreFailure'
  >;
  readonly metrics: Metrics;
  readonly resources: AsyncDisposableStack;
  readonly logger: Logger;
}

/**
 * Reads Envoy's limits and follows their files.
 *
 * @returns undefined where no files are set
 * @throws InvalidSettings with all that is wrong with the files
 */
export async function openEnvoy(options: OpenEnvoyOptions): Promise<Envoy | undefined> {
  const { config, metrics, resources, logger, ...others } = options;
  const { envoyConfig: paths, envoyMergeDomains: mergeDomains, envoyHeaders: headers } = config;
  const onStoreFailure = config.envoyOnStoreFailure;
  if (paths.length === 0) return undefined;
  const opened = resources.use(await open({ paths, mergeDomains, onStoreFailure, logger }));
  const limits = new ShouldLimit({
    ...others,
    config: () => opened.current,
    onStoreFailure,
    statistics: new EnvoyStatistics(metrics),
  });
  return { limits, headers };
}

async function open(options: Parameters<typeof openEnvoyConfig>[0]): Promise<OpenEnvoyConfig> {
  try {
    return await openEnvoyConfig(options);
  } catch (error) {
    if (!(error instanceof InvalidFile)) throw error;
    throw new InvalidSettings(error.problems.map((problem) => `${envoySettings.envoyConfig.env} ${problem}`));
  }
}
