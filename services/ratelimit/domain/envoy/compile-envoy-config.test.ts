import { describe, expect, it } from 'vitest';
import { compileEnvoyConfig } from './compile-envoy-config.ts';
import type { EnvoyEntry } from './envoy-config.ts';
import type { EnvoyDescriptorDefinition } from './envoy-definition.ts';
import { descriptorOf } from './testing-descriptors.ts';

/** A limit that can be told by its name. */
const named = (name: string) => ({ rateLimit: { unit: 'MINUTE', requestsPerUnit: 5, name } });
const entriesOf = (...pairs: readonly string[]): EnvoyEntry[] =>
  pairs.map((pair) => {
    const [key = '', value = ''] = pair.split('=');
    return { key, value };
  });

function matching(...descriptors: EnvoyDescriptorDefinition[]) {
  const config = compileEnvoyConfig([{ domain: 'edge', descriptors }], 'FAIL_LOCAL');
  return (...pairs: readonly string[]) => config.match('edge', entriesOf(...pairs));
}

describe('a descriptor matches', () => {
  const match = matching(
    descriptorOf('ip', { ...named('any') }),
    descriptorOf('ip', { value: '10.*', ...named('ten') }),
    descriptorOf('ip', { value: '10.1.*', ...named('never: the one before it matches first') }),
    descriptorOf('ip', { value: '10.1.1.1', ...named('one') }),
    descriptorOf('ip', { value: '10.9.9.9' }),
    descriptorOf('path', {
      ...named('path'),
      descriptors: [
        descriptorOf('method', { value: 'GET', ...named('get') }),
        descriptorOf('method', { value: 'POST', descriptors: [descriptorOf('user', named('user'))] }),
      ],
    }),
    descriptorOf('star', { value: '*', ...named('star') }),
    descriptorOf('only', { value: 'x', ...named('x') }),
  );
  const name = (...pairs: readonly string[]) => match(...pairs)?.limit.name;

  it.each<[string, string[], string | undefined]>([
    ['by key and value first', ['ip=10.1.1.1'], 'one'],
    ['then the first pattern in the order of the file', ['ip=10.1.2.3'], 'ten'],
    ['then by key alone', ['ip=192.0.2.1'], 'any'],
    ['by key alone without a value', ['ip'], 'any'],
    ['a pattern by the text that it is', ['ip=10.1.*'], 'never: the one before it matches first'],
    ['* with every value', ['star=x'], 'star'],
    ['* without a value', ['star'], 'star'],
    ['nothing where its value is another', ['only=y'], undefined],
    ['nothing where its value only begins so', ['only=xy'], undefined],
    ['nothing where its key is unknown', ['toString=x'], undefined],
    ['what has no limit of its own, and so none', ['ip=10.9.9.9'], undefined],
    ['at the depth of its last entry', ['path=/', 'method=GET'], 'get'],
    ['at that depth alone: the node before has a limit of its own', ['path=/'], 'path'],
    ['nothing where the node at that depth has none', ['path=/', 'method=POST'], undefined],
    ['deeper', ['path=/', 'method=POST', 'user=1'], 'user'],
    [
      'nothing with more entries than the configuration is deep',
      ['path=/', 'method=GET', 'user=1'],
      undefined,
    ],
    ['nothing beyond a limit without descriptors', ['ip=192.0.2.1', 'path=/'], undefined],
    ['in order of the entries only', ['method=GET', 'path=/'], undefined],
    ['nothing without entries', [], undefined],
  ])('%s: %j', (_, pairs, expected) => {
    expect(name(...pairs)).toBe(expected);
  });

  it('nothing in a domain that nobody knows', () => {
    const config = compileEnvoyConfig(
      [{ domain: 'edge', descriptors: [descriptorOf('a', named('a'))] }],
      'FAIL_OPEN',
    );
    expect(config.domains).toEqual(['edge']);
    expect(config.match('edge', entriesOf('a=1'))).toBeDefined();
    for (const domain of ['', 'Edge', 'constructor'])
      expect(config.match(domain, entriesOf('a=1'))).toBeUndefined();
  });

  it('without going back from a node that was chosen to another', () => {
    const chosen = matching(
      descriptorOf('a', { value: 'x', descriptors: [descriptorOf('b', named('b'))] }),
      descriptorOf('a', { descriptors: [descriptorOf('c', named('c'))] }),
    );
    expect(chosen('a=y', 'c=1')?.limit.name).toBe('c');
    expect(chosen('a=x', 'c=1')).toBeUndefined();
  });
});

describe('a matched limit', () => {
  it('is what the configuration says, and the same object each time', () => {
    const match = matching(
      descriptorOf('a', {
        shadowMode: true,
        quotaMode: true,
        rateLimit: { unit: 'HOUR', requestsPerUnit: 7, name: 'n', replaces: ['m'] },
      }),
      descriptorOf('b', { rateLimit: { unlimited: true } }),
      descriptorOf('c', { rateLimit: { rule: 'orders', identifier: 'user:{c}' } }),
      descriptorOf('d', { rateLimit: { unit: 'DAY' } }),
    );
    expect(match('a=1')?.limit).toMatchObject({
      quota: {
        kind: 'RATE',
        requestsPerUnit: 7,
        unit: 'HOUR',
        rule: { name: 'edge.a', onStoreFailure: 'FAIL_LOCAL' },
      },
      name: 'n',
      replaces: ['m'],
      shadowMode: true,
      quotaMode: true,
    });
    expect(match('a=1')?.limit).toBe(match('a=2')?.limit);
    expect(match('b=1')?.limit.quota).toEqual({ kind: 'UNLIMITED' });
    expect(match('c=1')?.limit.quota).toEqual({ kind: 'RULE', rule: 'orders', identifier: 'user:{c}' });
    expect(match('d=1')?.limit.quota).toEqual({
      kind: 'RATE',
      requestsPerUnit: 0,
      unit: 'DAY',
      rule: undefined,
    });
  });

  it('counts each value apart, or all that match a pattern together', () => {
    const shared = { value: 'v*', shareThreshold: true };
    const match = matching(
      descriptorOf('apart', { value: 'v*', ...named('apart') }),
      descriptorOf('shared', { ...shared, ...named('shared') }),
      descriptorOf('above', { ...shared, descriptors: [descriptorOf('user', named('below'))] }),
    );
    const identifier = (...pairs: readonly string[]) => match(...pairs)?.identifier;
    expect(identifier('apart=v1')).toBe('apart=v1');
    expect(identifier('shared=v1')).toBe('shared=v*');
    expect(identifier('shared=v2')).toBe('shared=v*');
    expect(identifier('above=v1', 'user=7')).toBe('above=v*,user=7');
    expect(identifier('above=v2', 'user=8')).toBe('above=v*,user=8');
  });
});

describe('statistics name a limit', () => {
  const limit = named('');
  it.each<[string, EnvoyDescriptorDefinition, string[], string, string]>([
    ['by its key', descriptorOf('a', limit), ['a=1'], 'edge.a', 'edge.a'],
    ['by its value', descriptorOf('a', { value: '1', ...limit }), ['a=1'], 'edge.a_1', 'edge.a_1'],
    ['by its pattern', descriptorOf('a', { value: '1*', ...limit }), ['a=12'], 'edge.a_1*', 'edge.a_1*'],
    [
      'by what leads to it',
      descriptorOf('a', { value: '1', descriptors: [descriptorOf('b', limit)] }),
      ['a=1', 'b=2'],
      'edge.a_1.b',
      'edge.a_1.b',
    ],
    [
      'by the value of one entry',
      descriptorOf('a', { valueToMetric: true, descriptors: [descriptorOf('b', limit)] }),
      ['a=1', 'b=2'],
      'edge.a_1.b',
      'edge.a.b',
    ],
    [
      'by the value that matched a pattern',
      descriptorOf('a', { value: '1*', valueToMetric: true, ...limit }),
      ['a=12'],
      'edge.a_12',
      'edge.a_1*',
    ],
    [
      'by no value where there is none',
      descriptorOf('a', { valueToMetric: true, ...limit }),
      ['a'],
      'edge.a',
      'edge.a',
    ],
    [
      'by all values',
      descriptorOf('a', {
        value: '1*',
        descriptors: [descriptorOf('b', { detailedMetric: true, ...limit })],
      }),
      ['a=12', 'b=2'],
      'edge.a_12.b_2',
      'edge.a_1*.b',
    ],
    [
      'by no value above it, where only that asks for them',
      descriptorOf('a', { detailedMetric: true, descriptors: [descriptorOf('b', limit)] }),
      ['a=1', 'b=2'],
      'edge.a.b',
      'edge.a.b',
    ],
    [
      'by a pattern that is shared, whatever asks for values',
      descriptorOf('a', {
        value: '1*',
        shareThreshold: true,
        valueToMetric: true,
        descriptors: [descriptorOf('b', { detailedMetric: true, ...limit })],
      }),
      ['a=12', 'b=2'],
      'edge.a_1*.b_2',
      'edge.a_1*.b',
    ],
  ])('%s', (_, descriptor, pairs, statKey, baseStatKey) => {
    expect(matching(descriptor)(...pairs)).toMatchObject({ statKey, baseStatKey });
  });
});
