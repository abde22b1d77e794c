import { FileWatch } from '../../../../runtime/file-watch.ts';
import type { Logger } from '../../../../runtime/logger.ts';
import type { EnvoyDomainDefinition } from '../../domain/envoy/envoy-definition.ts';
import { type EnvoyFile, loadEnvoyFiles } from './envoy-files.ts';
import { parseEnvoyFiles } from './parse-envoy-files.ts';

export interface EnvoyFilesWatchOptions {
  /** Files and directories. */
  readonly paths: readonly string[];
  readonly mergeDomains: boolean;
  /** Those whose limits are in force. */
  readonly files: readonly EnvoyFile[];
  readonly logger: Logger;
  /** Called with what each new state says that is good. */
  readonly onDefinitions: (definitions: readonly EnvoyDomainDefinition[]) => void;
  /** How long to wait between two looks at the files, in ms. Default: 300. */
  readonly everyMs?: number | undefined;
}

/** Watches Envoy's configuration. A state that can't be used is refused whole and logged once; the limits stay as they are. */
export class EnvoyFilesWatch extends FileWatch<readonly EnvoyFile[]> {
  constructor({ paths, mergeDomains, files, logger, onDefinitions, everyMs = 300 }: EnvoyFilesWatchOptions) {
    super({
      current: files,
      everyMs,
      load: () => loadEnvoyFiles(paths),
      digestOf: (state) => JSON.stringify(state.map(({ path, sha256 }) => [path, sha256])),
      async take(state, signal, afterRefusal) {
        const definitions = await parseEnvoyFiles(state, { mergeDomains, signal });
        if (signal.aborted) return;
        onDefinitions(definitions);
        logger.info(
          { files: state.length, domains: [...new Set(definitions.map(({ domain }) => domain))] },
          afterRefusal ? "Envoy's limits are good again" : "Envoy's limits read anew",
        );
      },
      refuse(problems) {
        logger.error({ problems }, "Envoy's limits are refused: they stay as they were");
      },
    });
  }
}
