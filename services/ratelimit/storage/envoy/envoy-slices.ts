import type { EnvoyDomainDefinition } from '../../domain/envoy/envoy-definition.ts';

/** What a thread takes 2 ms to receive: of a whole file of 4 MB it is 60, in which no check is answered. */
const SLICE_DESCRIPTORS = 1_000;

/** The same definitions with at most 1,000 descriptors each, so that several can be of one domain. */
export function* inSlices(definitions: readonly EnvoyDomainDefinition[]): Generator<EnvoyDomainDefinition> {
  for (const { domain, descriptors } of definitions) {
    let from = 0;
    do {
      yield { domain, descriptors: descriptors.slice(from, from + SLICE_DESCRIPTORS) };
      from += SLICE_DESCRIPTORS;
    } while (from < descriptors.length);
  }
}
