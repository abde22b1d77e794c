import type { CallerKeys } from '../caller-auth.ts';
import type { CommonSettings } from '../common-settings.ts';
import { InvalidFile } from '../invalid-file.ts';
import type { Logger } from '../logger.ts';
import type { ServiceTable } from '../service-table.ts';
import { InvalidSettings } from '../settings.ts';
import type { RequestRules } from '../validation.ts';
import { AccessControl } from './access-control.ts';
import { CallerDirectory } from './caller-directory.ts';
import type { CallerKeyStore } from './caller-key-store.ts';
import { callerServiceRules, callerServiceTable } from './caller-service.ts';
import { type CallersFile, readCallersFile } from './callers-file.ts';
import { CallersFileWatch } from './callers-file-watch.ts';
import { ConfiguredKeys } from './configured-keys.ts';
import { FileCallers } from './file-callers.ts';
import { IssuerKeys } from './issuer-keys.ts';
import { ManagedKeys } from './managed-keys.ts';
import type { Policy } from './policy.ts';

/** How long a start waits for the keys in the store before it goes on without them. */
const START_WAIT_MS = 2000;

export interface OpenCallersOptions {
  readonly config: Pick<CommonSettings, 'callersFile' | 'adminRpcs'> & {
    readonly callerKeys: CallerKeys | undefined;
  };
  /** Names of the settings, for errors. */
  readonly env: { readonly callerKeys: string; readonly callersFile: string };
  readonly errorDomain: string;
  readonly policy: Policy;
  /** The audience of service tokens that are meant for this service. */
  readonly audience: string;
  /** Undefined: the service keeps none, and CallerService refuses. */
  readonly keyStore: CallerKeyStore | undefined;
  readonly logger: Logger;
}

/** Who may call a service, from all that says so, until it is disposed. */
export interface OpenCallers extends AsyncDisposable {
  readonly access: AccessControl;
  /** CallerService, and the bounds of its requests. */
  readonly table: ServiceTable;
  readonly rules: readonly RequestRules[];
}

/**
 * Opens the callers file and the store of managed keys.
 *
 * Authentication is off where neither caller keys nor a callers file are set.
 *
 * @throws InvalidSettings naming the setting that can't be used
 */
export async function openCallers(options: OpenCallersOptions): Promise<OpenCallers> {
  const { config, env, policy, keyStore, logger } = options;
  await using resources = new AsyncDisposableStack();
  const managed =
    keyStore === undefined ? undefined : resources.use(new ManagedKeys({ store: keyStore, policy, logger }));
  const isOn = config.callerKeys !== undefined || config.callersFile !== undefined;
  const configured = new ConfiguredKeys(config.callerKeys, policy, env.callerKeys);
  const file =
    config.callersFile === undefined
      ? () => undefined
      : await followFile(config.callersFile, options, resources);
  if (isOn) await managed?.start(START_WAIT_MS);
  const access = new AccessControl({
    domain: options.errorDomain,
    policy,
    authenticator: isOn ? new CallerDirectory({ configured, managed, file }) : undefined,
    adminRpcs: config.adminRpcs === 'on',
  });
  const owned = resources.move();
  return {
    access,
    table: callerServiceTable(managed),
    rules: callerServiceRules(policy),
    [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
  };
}

/** The callers of the file as it is at any time. */
async function followFile(
  path: string,
  { env, policy, audience, logger }: OpenCallersOptions,
  resources: AsyncDisposableStack,
): Promise<() => FileCallers> {
  const issuerKeys = resources.use(new IssuerKeys(logger));
  const callersOf = (file: CallersFile) => {
    const keySet = issuerKeys.of(file);
    return new FileCallers(file.document, { policy, audience, keySet });
  };
  const first = await readCallersFile(path, policy).catch((error: unknown) => {
    if (!(error instanceof InvalidFile)) throw error;
    throw new InvalidSettings(error.problems.map((problem) => `${env.callersFile} ${problem}`));
  });
  let current = callersOf(first);
  const onChange = (file: CallersFile) => {
    current = callersOf(file);
  };
  resources.use(new CallersFileWatch({ path, policy, current: first, logger, onChange }));
  return () => current;
}
