import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileEnvoyConfig } from './compile-envoy-config.ts';
import type { EnvoyEntry, EnvoyMatch } from './envoy-config.ts';
import type { EnvoyDescriptorDefinition } from './envoy-definition.ts';
import { descriptorOf } from './testing-descriptors.ts';

/** A limit that is known by its name. */
const named = (name: string) => ({ rateLimit: { unit: 'MINUTE', requestsPerUnit: 5, name } });

/** As the description of the matching has it, word by word. */
function matchByTheBook(
  top: readonly EnvoyDescriptorDefinition[],
  entries: readonly EnvoyEntry[],
):
  | { readonly node: EnvoyDescriptorDefinition; readonly way: readonly EnvoyDescriptorDefinition[] }
  | undefined {
  let list = top;
  const way: EnvoyDescriptorDefinition[] = [];
  for (const { key, value } of entries) {
    const ofKey = list.filter((descriptor) => descriptor.key === key);
    const chosen =
      ofKey.find((descriptor) => descriptor.value !== '' && descriptor.value === value) ??
      ofKey.find(
        (descriptor) => /\*$/.test(descriptor.value) && value.indexOf(descriptor.value.slice(0, -1)) === 0,
      ) ??
      ofKey.find((descriptor) => descriptor.value === '');
    if (chosen === undefined) return undefined;
    way.push(chosen);
    list = chosen.descriptors;
  }
  const node = way.at(-1);
  return node?.rateLimit === undefined ? undefined : { node, way };
}

/** Who is counted, as data: two are counted together only where these are equal. */
function whoByTheBook(entries: readonly EnvoyEntry[], way: readonly EnvoyDescriptorDefinition[]): string {
  return JSON.stringify(
    entries.map(({ key, value }, depth) => {
      const descriptor = way[depth];
      return descriptor?.shareThreshold ? [key, { pattern: descriptor.value }] : [key, value];
    }),
  );
}

const key = fc.constantFrom('a', 'a', 'a', 'b', 'b', 'a_b', 'a=b', '__proto__', 'a*');
const value = fc.constantFrom('', 'x', 'xy', 'xyz', '*', 'x*', 'xy*', 'x,b=x', 'x\\', '\\*', 'x=', '*x', 'z');
const entry = fc.record({ key, value });

/** Lists of descriptors of at most three levels, none of them there twice. */
const { list } = fc.letrec<{ list: readonly EnvoyDescriptorDefinition[] }>((tie) => ({
  list: fc.uniqueArray(
    fc
      .record({
        key,
        value,
        isLimited: fc.nat({ max: 3 }).map((number) => number > 0),
        shares: fc.boolean(),
        descriptors: fc.oneof(
          { depthSize: 'small', maxDepth: 2, withCrossShrink: true },
          fc.constant([]),
          tie('list'),
        ),
      })
      .map(({ isLimited, shares, ...fields }) =>
        descriptorOf(fields.key, {
          value: fields.value,
          descriptors: fields.descriptors,
          shareThreshold: shares && fields.value.endsWith('*'),
          ...(isLimited ? named('limit') : {}),
        }),
      ),
    { minLength: 4, maxLength: 10, size: 'max', selector: ({ key: k, value: v }) => JSON.stringify([k, v]) },
  ),
}));

describe('matching', () => {
  it('is what the book says, for every configuration and every descriptor', () => {
    const asked = fc.array(fc.array(entry, { minLength: 1, maxLength: 4 }), {
      minLength: 15,
      maxLength: 30,
    });
    let matched = 0;
    fc.assert(
      fc.property(list, asked, (descriptors, requests) => {
        const config = compileEnvoyConfig([{ domain: 'edge', descriptors }], 'FAIL_LOCAL');
        const who = new Map<string, string>();
        for (const entries of requests) {
          const found: EnvoyMatch | undefined = config.match('edge', entries);
          const expected = matchByTheBook(descriptors, entries);
          expect(found === undefined).toBe(expected === undefined);
          if (found === undefined || expected === undefined) continue;
          matched += 1;
          const way = expected.way.map((each) =>
            each.value === '' ? each.key : `${each.key}_${each.value}`,
          );
          expect(found.baseStatKey).toBe(['edge', ...way].join('.'));
          // One identifier for one who, and another for every other.
          const expectedWho = whoByTheBook(entries, expected.way);
          expect(who.get(found.identifier) ?? expectedWho).toBe(expectedWho);
          who.set(found.identifier, expectedWho);
          expect(new Set(who.values()).size).toBe(who.size);
        }
      }),
      { numRuns: 1_000 },
    );
    expect(matched).toBeGreaterThan(1_000);
  });
});
