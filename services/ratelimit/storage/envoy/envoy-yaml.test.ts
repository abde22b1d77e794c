import { describe, expect, it } from 'vitest';
import { compileEnvoyConfig } from '../../domain/envoy/compile-envoy-config.ts';
import { type EnvoyText, readEnvoyYaml } from './envoy-yaml.ts';

const file = (text: string, path = 'edge.yaml'): EnvoyText => ({ path, text });
const reading = (text: string) => readEnvoyYaml([file(text)], false);
/** A file with one descriptor. */
const withDescriptor = (fields: string) => reading(`domain: edge\ndescriptors:\n  - { ${fields} }\n`);
/** A file with one limit. */
const withLimit = (fields: string) => withDescriptor(`key: a, rate_limit: { ${fields} }`);

describe("Envoy's configuration file", () => {
  it('gives all that it says', () => {
    const { definitions, problems } = reading(`
domain: edge
descriptors:
  - key: remote_address
    value: 203.0.113.*
    rate_limit:
      unit: Minute
      requests_per_unit: 10
      name: by_address
      replaces: [{ name: other }]
    shadow_mode: true
    quota_mode: true
    detailed_metric: true
    value_to_metric: true
    share_threshold: true
    descriptors:
      - key: path
        rate_limit: { unlimited: true }
      - key: user_id
        rate_limit: { rule: orders, identifier: "user:{user_id}" }
`);
    expect(problems).toEqual([]);
    const plain = {
      value: '',
      shadowMode: false,
      quotaMode: false,
      detailedMetric: false,
      valueToMetric: false,
      shareThreshold: false,
      descriptors: [],
    };
    const none = {
      unit: '',
      requestsPerUnit: undefined,
      unlimited: false,
      rule: '',
      identifier: undefined,
      name: '',
      replaces: [],
    };
    expect(definitions).toEqual([
      {
        domain: 'edge',
        descriptors: [
          {
            key: 'remote_address',
            value: '203.0.113.*',
            rateLimit: {
              ...none,
              unit: 'MINUTE',
              requestsPerUnit: 10,
              name: 'by_address',
              replaces: ['other'],
            },
            shadowMode: true,
            quotaMode: true,
            detailedMetric: true,
            valueToMetric: true,
            shareThreshold: true,
            descriptors: [
              { ...plain, key: 'path', rateLimit: { ...none, unlimited: true } },
              {
                ...plain,
                key: 'user_id',
                rateLimit: { ...none, rule: 'orders', identifier: 'user:{user_id}' },
              },
            ],
          },
        ],
      },
    ]);
  });

  it('may leave out whatever has a default, or leave it without a value', () => {
    const { definitions, problems } = reading(
      'domain: edge\ndescriptors:\n  - key: a\n    value:\n    rate_limit:\n    shadow_mode:\n    descriptors:\n  - { key: b, rate_limit: { unit: second } }\n',
    );
    expect(problems).toEqual([]);
    expect(definitions[0]?.descriptors.map(({ value, rateLimit }) => [value, rateLimit?.unit])).toEqual([
      ['', undefined],
      ['', 'SECOND'],
    ]);
    expect(reading('domain: edge\n')).toMatchObject({ problems: [], definitions: [{ descriptors: [] }] });
  });

  it.each(['404', '1.10', '0x1F', '007', '1e3', '-0', 'true', '9007199254740993', '.5'])(
    'has the text that stands there where a value could be something else: %s',
    (text) => {
      const { definitions, problems } = reading(
        `domain: ${text}\ndescriptors:\n  - { key: ${text}, descriptors: [{ key: b, value: ${text} }] }\n`,
      );
      expect(problems).toEqual([]);
      const [first] = definitions[0]?.descriptors ?? [];
      expect([definitions[0]?.domain, first?.key, first?.descriptors[0]?.value]).toEqual([text, text, text]);
    },
  );

  it('may use anchors, and what else YAML 1.1 has', () => {
    const { definitions, problems } = reading(`
domain: edge
descriptors:
  - &plain { key: a, value: 2026-11-22, shadow_mode: yes, rate_limit: &limit { unit: day, requests_per_unit: 5 } }
  - { <<: *plain, key: b, rate_limit: { <<: *limit, requests_per_unit: 6 } }
`);
    expect(problems).toEqual([]);
    expect(
      definitions[0]?.descriptors.map(({ key, value, shadowMode, rateLimit }) => [
        key,
        value,
        shadowMode,
        rateLimit?.unit,
        rateLimit?.requestsPerUnit,
      ]),
    ).toEqual([
      ['a', '2026-11-22', true, 'DAY', 5],
      ['b', '2026-11-22', true, 'DAY', 6],
    ]);
  });

  it.each(['second', 'MINUTE', 'Hour', 'day', 'week', 'month', 'year'])('knows the unit %s', (unit) => {
    expect(withLimit(`unit: ${unit}, requests_per_unit: 4294967295`).problems).toEqual([]);
  });
});

describe("a bad file of Envoy's configuration", () => {
  it('is refused with all that is wrong at once, each with its place and field', () => {
    const { problems } = reading(`domain: ""
descriptors:
  - key: a
    valeu: 1
    rate_limit: { unit: fortnight, requests_per_unit: -1 }
  - value: x
    share_threshold: true
    descriptors:
      - key: [b]
        rate_limit:
          unit: minute
          requests_per_unit: "5"
          replaces: [{ name: "" }, {}]
          identifier: "{a}"
  - key: a
extra: 1
`);
    expect(problems).toEqual([
      'edge.yaml:1:1 domain must not be empty',
      'edge.yaml:4:5 descriptors[0].valeu is no known field',
      'edge.yaml:5:19 descriptors[0].rate_limit.unit must be one of second, minute, hour, day, week, month, year',
      'edge.yaml:5:36 descriptors[0].rate_limit.requests_per_unit must be an integer from 0 to 4294967295',
      'edge.yaml:6:5 descriptors[1].key must be set',
      'edge.yaml:7:5 descriptors[1].share_threshold needs a value that ends with *',
      'edge.yaml:9:9 descriptors[1].descriptors[0].key must be a text',
      'edge.yaml:12:11 descriptors[1].descriptors[0].rate_limit.requests_per_unit must be of the type number',
      'edge.yaml:13:24 descriptors[1].descriptors[0].rate_limit.replaces[0].name must not be empty',
      'edge.yaml:13:36 descriptors[1].descriptors[0].rate_limit.replaces[1].name must not be empty',
      'edge.yaml:14:11 descriptors[1].descriptors[0].rate_limit.identifier needs a rule',
      'edge.yaml:14:11 descriptors[1].descriptors[0].rate_limit.identifier names {a}, which is the key of no descriptor that leads here',
      'edge.yaml:15:5 descriptors[2] is there twice: a key with the same value',
      'edge.yaml:16:1 extra is no known field',
    ]);
  });

  it.each([
    ['', 'unit must be one of second, minute, hour, day, week, month, year'],
    ['unit: unknown', 'unit must be one of second, minute, hour, day, week, month, year'],
    ['unit: constructor', 'unit must be one of second, minute, hour, day, week, month, year'],
    ['unit: day, unlimited: true', 'unit must not stand beside unlimited'],
    ['unit: day, requests_per_unit: 1.5', 'requests_per_unit must be an integer from 0 to 4294967295'],
    ['unit: day, requests_per_unit: 4294967296', 'requests_per_unit must be an integer from 0 to 4294967295'],
    ['unit: day, requests_per_unit: .nan', 'requests_per_unit must be of the type number'],
    [
      'unit: day, name: x, replaces: [{ name: x }]',
      'replaces[0].name must not be the name of the limit itself',
    ],
    ['unit: day, rule: orders', 'unit must not stand beside rule'],
    ['rule: orders, requests_per_unit: 0', 'requests_per_unit must not stand beside rule'],
    ['rule: orders, unlimited: true', 'unlimited must not stand beside rule'],
    ['rule: or ders', 'rule must be 1 to 128 characters of A-Z a-z 0-9 _ . : / -'],
    ['rule: orders, identifier: ""', 'identifier must not be empty'],
    ['rule: orders, identifier: "user:{a"', 'identifier must have its braces in pairs, each around a key'],
    [
      'rule: orders, identifier: "{b}"',
      'identifier names {b}, which is the key of no descriptor that leads here',
    ],
    ['unit: day, algorithm: TOKEN_BUCKET', 'algorithm is no known field'],
  ])('is refused for a limit with { %s }', (fields, problem) => {
    const { problems } = withLimit(fields);
    expect(
      problems.map((each) => each.replace(/^edge\.yaml:3:\d+ descriptors\[0\]\.rate_limit\.?/, '')),
    ).toEqual([problem]);
  });

  it.each([
    ['a key of 257 bytes', `key: ${'k'.repeat(257)}`, '3:7 descriptors[0].key must have at most 256 bytes'],
    [
      'a value of 4,097 bytes',
      `key: a, value: ${'v'.repeat(4_097)}`,
      '3:15 descriptors[0].value must have at most 4096 bytes',
    ],
    ['the field of another place', 'key: a, domain: b', '3:15 descriptors[0].domain is no known field'],
    ['no map', 'key: a, rate_limit: [1]', '3:15 descriptors[0].rate_limit must be of the type object'],
    [
      'a word for a flag',
      'key: a, shadow_mode: sometimes',
      '3:15 descriptors[0].shadow_mode must be of the type boolean',
    ],
  ])('is refused for %s', (_, fields, problem) => {
    expect(withDescriptor(fields).problems).toEqual([`edge.yaml:${problem}`]);
  });

  it.each([
    ['', '1:1 must be of the type object'],
    ['- domain: edge', '1:1 must be of the type object'],
    ['descriptors: []', '1:1 domain must be set'],
    ['domain: a\n---\ndomain: b\n', '2:1 must be one document'],
    ['domain: [', '1:10 Flow sequence in block collection must be sufficiently indented and end with a ]'],
  ])('is refused where it is %j', (text, problem) => {
    expect(reading(text).problems).toContain(`edge.yaml:${problem}`);
  });

  it('is refused where it is nested too deep to match, or has too many patterns in one list', () => {
    const nested = (depth: number): string =>
      depth === 0 ? '' : `key: k, descriptors: [${depth === 1 ? '' : `{ ${nested(depth - 1)} }`}]`;
    expect(withDescriptor(nested(32)).problems).toEqual([]);
    expect(withDescriptor(nested(33)).problems).toEqual([
      expect.stringContaining('descriptors must not be nested more than 32 deep'),
    ]);
    const patterns = (count: number) =>
      reading(
        `domain: a\ndescriptors:\n${Array.from({ length: count }, (_, at) => `  - { key: k, value: v${at}* }\n`).join('')}`,
      );
    expect(patterns(1_000).problems).toEqual([]);
    expect(patterns(1_002).problems).toEqual([
      'edge.yaml:1003:15 descriptors[1000].value is one of more than 1000 with a * in this list',
    ]);
  });

  it('has one key with one value once in a list, and again elsewhere', () => {
    const list = (...entries: string[]) =>
      reading(`domain: a\ndescriptors: [${entries.map((each) => `{ ${each} }`).join(', ')}]`).problems;
    expect(
      list('key: a_b', 'key: a, value: b', 'key: a', 'key: a, descriptors: [{ key: a }]'.replace('a,', 'c,')),
    ).toEqual([]);
    expect(list('key: a, value: b', 'key: a, value: "b"')).toHaveLength(1);
    expect(list('key: a', 'key: a, value: ""')).toHaveLength(1);
  });
});

describe('several files', () => {
  const one = file(
    'domain: edge\ndescriptors: [{ key: a, rate_limit: { unit: day, requests_per_unit: 1 } }]',
    'one.yaml',
  );
  const two = file(
    'domain: edge\ndescriptors: [{ key: b, rate_limit: { unit: day, requests_per_unit: 2 } }]',
    'two.yaml',
  );

  it('may not say something of one domain', () => {
    expect(readEnvoyYaml([one, two], false).problems).toEqual([
      'two.yaml:1:1 domain is that of one.yaml already',
    ]);
  });

  it('may do so where domains are merged, but not of the same descriptor', () => {
    const { definitions, problems } = readEnvoyYaml([one, two], true);
    expect(problems).toEqual([]);
    const config = compileEnvoyConfig(definitions, 'FAIL_LOCAL');
    expect(config.domains).toEqual(['edge']);
    const baseOf = (key: string) => config.match('edge', [{ key, value: 'x' }])?.baseStatKey;
    expect([baseOf('a'), baseOf('b')]).toEqual(['edge.a', 'edge.b']);
    expect(readEnvoyYaml([one, two, { ...one, path: 'three.yaml' }], true).problems).toEqual([
      'three.yaml:2:15 descriptors[0] is there already, in one.yaml: a key with the same value',
    ]);
  });

  it('have the problems of all of them told', () => {
    const { problems } = readEnvoyYaml([file('domain: [', 'x.yaml'), one, file('{}', 'y.yaml')], false);
    expect(problems.map((each) => each.split(':')[0])).toEqual(expect.arrayContaining(['x.yaml', 'y.yaml']));
  });
});
