import type { Logger } from '../logger.ts';
import type { CallersFile } from './callers-file.ts';
import { FixedKeySet, type KeySet } from './key-set.ts';
import { RemoteKeySet } from './remote-key-set.ts';

/**
 * The key sets of the callers file's issuers. Those that come by URL outlive a change of the file: it must not cost their
 * keys while the URL is away.
 */
export class IssuerKeys implements Disposable {
  readonly #logger: Logger;
  #remote: ReadonlyMap<string, RemoteKeySet> = new Map();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** The key sets of a state of the file, by issuer. Those of the state before are given up. */
  of({ document, keySets }: CallersFile): (issuer: string) => KeySet {
    const remote = new Map<string, RemoteKeySet>();
    const byIssuer = new Map<string, KeySet>();
    for (const { issuer, source } of document.issuers) {
      if ('url' in source) {
        const { url } = source;
        const keys =
          remote.get(url) ?? this.#remote.get(url) ?? new RemoteKeySet({ url, logger: this.#logger });
        remote.set(url, keys);
        byIssuer.set(issuer, keys);
      } else {
        const fixed = 'keys' in source ? source.keys : keySets.get(source.file);
        byIssuer.set(issuer, new FixedKeySet(fixed ?? { keys: [] }));
      }
    }
    for (const [url, keys] of this.#remote) if (!remote.has(url)) keys[Symbol.dispose]();
    this.#remote = remote;
    return (issuer) => byIssuer.get(issuer) ?? new FixedKeySet({ keys: [] });
  }

  [Symbol.dispose](): void {
    for (const keys of this.#remote.values()) keys[Symbol.dispose]();
  }
}
