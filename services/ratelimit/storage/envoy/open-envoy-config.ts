import type { Logger } from '../../../../runtime/logger.ts';
import { compileEnvoyConfig } from '../../domain/envoy/compile-envoy-config.ts';
import type { EnvoyConfig } from '../../domain/envoy/envoy-config.ts';
import type { StoreFailurePolicy } from '../../domain/rule.ts';
import { loadEnvoyFiles } from './envoy-files.ts';
import { EnvoyFilesWatch } from './envoy-files-watch.ts';
import { parseEnvoyFiles } from './parse-envoy-files.ts';

export interface OpenEnvoyConfigOptions {
  /** Files, and directories whose `*.yaml` and `*.yml` are read. */
  readonly paths: readonly string[];
  /** Whether several files may say something of one domain; else that is refused. */
  readonly mergeDomains: boolean;
  /** What holds for all limits but those of rules while the store is away. */
  readonly onStoreFailure: StoreFailurePolicy;
  readonly logger: Logger;
  /** How long to wait between two looks at the files, in ms. Default: that of EnvoyFilesWatch. */
  readonly everyMs?: number | undefined;
}

/** Envoy's limits, which follow their files until this is disposed. */
export interface OpenEnvoyConfig extends AsyncDisposable {
  /** In force at this moment. */
  readonly current: EnvoyConfig;
}

/** @throws InvalidFile with all that is wrong */
export async function openEnvoyConfig(options: OpenEnvoyConfigOptions): Promise<OpenEnvoyConfig> {
  const { paths, mergeDomains, onStoreFailure, logger, everyMs } = options;
  const files = await loadEnvoyFiles(paths);
  let current = compileEnvoyConfig(await parseEnvoyFiles(files, { mergeDomains }), onStoreFailure);
  const watch = new EnvoyFilesWatch({
    paths,
    mergeDomains,
    files,
    logger,
    everyMs,
    onDefinitions: (definitions) => {
      current = compileEnvoyConfig(definitions, onStoreFailure);
    },
  });
  return {
    get current() {
      return current;
    },
    [Symbol.asyncDispose]: () => watch[Symbol.asyncDispose](),
  };
}
