import type { StoreFailurePolicy } from '../rule.ts';
import { type Leaf, Level, type Node } from './descriptor-tree.ts';
import type { EnvoyConfig, EnvoyEntry, EnvoyMatch } from './envoy-config.ts';
import type { EnvoyDomainDefinition } from './envoy-definition.ts';
import { envoyIdentifier } from './envoy-identifier.ts';
import { statKeyPart } from './stat-key.ts';

/**
 * Makes limits that can be asked out of what the files say.
 *
 * @param definitions without faults, as DefinitionCheck has it; several of one domain are put together
 * @param onStoreFailure of all limits but those of rules
 */
export function compileEnvoyConfig(
  definitions: readonly EnvoyDomainDefinition[],
  onStoreFailure: StoreFailurePolicy,
): EnvoyConfig {
  const domains = new Map<string, Level>();
  for (const { domain, descriptors } of definitions) {
    const level = domains.get(domain) ?? new Level();
    domains.set(domain, level);
    level.add(descriptors, { onStoreFailure, statKey: domain, statParts: [], sharedPatterns: [] });
  }
  return Object.freeze({
    domains: Object.freeze([...domains.keys()]),
    match(domain: string, entries: readonly EnvoyEntry[]) {
      const level = domains.get(domain);
      const leaf = level && leafOf(level, entries);
      return leaf && matchOf(domain, entries, leaf);
    },
  });
}

/** One node a level, which is not left for another: a node without a limit, or without what follows, has none. */
function leafOf(top: Level, entries: readonly EnvoyEntry[]): Leaf | undefined {
  let level: Level | undefined = top;
  let node: Node | undefined;
  for (let at = 0; at < entries.length; at += 1) {
    node = level?.find(entries[at] as EnvoyEntry);
    if (node === undefined) return undefined;
    level = node.next;
  }
  return node?.leaf;
}

function matchOf(domain: string, entries: readonly EnvoyEntry[], leaf: Leaf): EnvoyMatch {
  const { limit, baseStatKey, statParts, sharedPatterns } = leaf;
  return {
    limit,
    identifier: envoyIdentifier(entries, sharedPatterns),
    statKey: statParts === undefined ? baseStatKey : statKeyWith(domain, entries, statParts),
    baseStatKey,
  };
}

function statKeyWith(
  domain: string,
  entries: readonly EnvoyEntry[],
  parts: readonly (string | undefined)[],
): string {
  let text = domain;
  for (let at = 0; at < entries.length; at += 1) {
    const { key, value } = entries[at] as EnvoyEntry;
    text += `.${parts[at] ?? statKeyPart(key, value)}`;
  }
  return text;
}
