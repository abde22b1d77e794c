import type { CallerKeys } from '../caller-auth.ts';
import { InvalidSettings } from '../settings.ts';
import type { Caller } from './caller.ts';
import type { ApiKeys } from './caller-directory.ts';
import type { Policy } from './policy.ts';

/** The API keys of the settings, with what their callers may do by the service's policy. */
export class ConfiguredKeys implements ApiKeys {
  readonly #byDigest: ReadonlyMap<string, Caller>;

  /**
   * @param env name of the setting, for errors
   * @throws InvalidSettings where an entry names a scope that the service does not have
   */
  constructor(keys: CallerKeys | undefined, policy: Policy, env: string) {
    const entries = keys?.entries ?? [];
    const problems = entries.flatMap(({ name, scopes = [] }) =>
      scopes
        .filter((scope) => !policy.knows(scope))
        .map((scope) => `${env} gives ${name} the scope ${scope}, which this service does not have`),
    );
    if (problems.length > 0) throw new InvalidSettings(problems);
    this.#byDigest = new Map(
      entries.map(({ name, digest, scopes }) => [
        digest,
        { name, scopes: policy.grant(scopes), credential: 'api_key' },
      ]),
    );
  }

  find(digest: string): Caller | undefined {
    return this.#byDigest.get(digest);
  }
}
