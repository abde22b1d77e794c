import { describe, expect, it } from 'vitest';
import { defineRule } from '../domain/rule.ts';
import { readRulesYaml } from './rules-yaml.ts';

const FALLBACK = '  - { name: api_default, limits: [{ limit: 100, window: 1m }] }\n';
const withRule = (text: string) => readRulesYaml(`rules:\n${FALLBACK}${text}`);

describe('a rules file', () => {
  it('gives rules, with the defaults that it leaves out', () => {
    const { definitions, problems } = withRule(`
  - name: auth_login
    limits:
      - { limit: 5, window: 1m }
      - { name: hourly, limit: 20, window: 1h, algorithm: TOKEN_BUCKET, burst: 10, shadow: true }
    on_store_failure: FAIL_LOCAL
    mode: SHADOW
    bypass_roles: [ops]
    overrides:
      - { identifier: "user:vip-*", limits: [{ limit: 50, window: 500ms }] }
      - { identifier: user:4711, mode: UNLIMITED }
`);
    expect(problems).toEqual([]);
    expect(definitions.map(defineRule)).toEqual([
      defineRule({
        name: 'api_default',
        limits: [{ limit: 100, windowMicros: 60_000_000 }],
        onStoreFailure: 'FAIL_OPEN',
        bypassRoles: ['admin'],
      }),
      defineRule({
        name: 'auth_login',
        limits: [
          { limit: 5, windowMicros: 60_000_000 },
          {
            name: 'hourly',
            limit: 20,
            windowMicros: 3_600_000_000,
            algorithm: 'TOKEN_BUCKET',
            burst: 10,
            shadow: true,
          },
        ],
        onStoreFailure: 'FAIL_LOCAL',
        mode: 'SHADOW',
        bypassRoles: ['ops'],
        overrides: [
          { identifier: 'user:vip-*', limits: [{ limit: 50, windowMicros: 500_000 }] },
          { identifier: 'user:4711', mode: 'UNLIMITED' },
        ],
      }),
    ]);
  });

  it('may be JSON', () => {
    const text = '{"rules":[{"name":"api_default","limits":[{"limit":1,"window":"1s"}]}]}';
    expect(readRulesYaml(text)).toMatchObject({ problems: [], definitions: [{ name: 'api_default' }] });
  });

  it('may use anchors', () => {
    const { definitions, problems } = withRule(
      '  - { name: a, limits: &minute [{ limit: 5, window: 1m }] }\n  - { name: b, limits: *minute }\n',
    );
    expect(problems).toEqual([]);
    expect(definitions.map(({ limits }) => limits[0]?.limit)).toEqual([100, 5, 5]);
  });
});

describe('a bad rules file', () => {
  it('is refused with all that is wrong at once, each with its place and field', () => {
    const text = `rules:
  - name: auth login
    limits:
      - { limit: 0, window: 60 }
      - limit: 5
        windw: 1m
    mode: OFF
  - name: orders
    limits:
      - { limit: 200000, window: 401d }
      - { limit: 1, window: 1m, burst: 2 }
    on_store_failure: PANIC
  - name: orders
    limits: [{ limit: 1, window: 1m }]
extra: 1
`;
    const problems = readRulesYaml(text).problems.map((each) => each.replace(/^(\S+ \S+) .*/, '$1'));
    expect(problems).toEqual([
      '1:1 rules',
      '2:5 rules[0].name',
      '4:11 rules[0].limits[0].limit',
      '4:21 rules[0].limits[0].window',
      '5:9 rules[0].limits[1].window',
      '5:9 rules[0].limits[1].name',
      '6:9 rules[0].limits[1].windw',
      '7:5 rules[0].mode',
      '10:11 rules[1].limits[0].limit',
      '10:26 rules[1].limits[0].window',
      '11:9 rules[1].limits[1].name',
      '11:33 rules[1].limits[1].burst',
      '12:5 rules[1].on_store_failure',
      '13:5 rules[2].name',
      '15:1 extra',
    ]);
  });

  it.each([
    [
      'a window without its unit',
      '  - { name: a, limits: [{ limit: 5, window: 60 }] }',
      '3:37 rules[1].limits[0].window must be a length of time with its unit, such as 500ms, 1s, 1m, 1h30m or 1d',
    ],
    [
      'a limit beyond the log',
      '  - { name: a, limits: [{ limit: 100001, window: 1m }] }',
      '3:27 rules[1].limits[0].limit must be an integer from 1 to 100000 with SLIDING_WINDOW_LOG; larger ones take another algorithm',
    ],
    [
      'a field of another type',
      '  - { name: a, limits: [{ limit: "5", window: 1m }] }',
      '3:27 rules[1].limits[0].limit must be of the type number, received string',
    ],
    ['a missing field', '  - limits: [{ limit: 5, window: 1m }]', '3:5 rules[1].name must be set'],
    [
      'an unknown word',
      '  - { name: a, mode: OFF }',
      '3:16 rules[1].mode must be one of "ENFORCED"|"SHADOW"|"UNLIMITED"|"DISABLED"',
    ],
    [
      'a bad override',
      '  - name: a\n    limits: [{ limit: 5, window: 1m }]\n    overrides:\n      - { identifier: "", mode: UNLIMITED }',
      '6:11 rules[1].overrides[0].identifier must be 1 to 256 bytes without control characters',
    ],
    ['a rule twice', FALLBACK, '3:7 rules[1].name is there twice'],
    ['a field twice', '  - { name: a, name: b }', '3:16 Map keys must be unique'],
    ['an unknown tag', '  - !!js/function "x"', '3:5 Unresolved tag: tag:yaml.org,2002:js/function'],
    [
      'a merge, which YAML 1.2 has not',
      '  - { name: a, mode: DISABLED, <<: {} }',
      '3:32 rules[1].<< is no known field',
    ],
    [
      'a nested fault in an anchor',
      '  - &a { name: a, limits: [{ limit: 5, window: 1 }] }',
      '3:40 rules[1].limits[0].window must be a length of time with its unit, such as 500ms, 1s, 1m, 1h30m or 1d',
    ],
  ])('is refused for %s', (_, text, problem) => {
    const { definitions, problems } = withRule(text);
    expect(problems).toEqual([problem]);
    expect(definitions).toEqual([]);
  });

  it.each([
    'name: {}, limits: [{ limit: 1, window: 1m }]',
    'name: a, limits: [{ limit: {}, window: 1m, algorithm: TOKEN_BUCKET, burst: 1 }]',
    'name: a, limits: [{ limit: 1, window: [1m] }]',
    'name: a, limits: [{ limit: 1, window: {} }]',
    'name: a, limits: [{ limit: 1, window: 1m, name: {} }]',
    'name: a, limits: [{ limit: 1, window: 1m, algorithm: {} }]',
    'name: a, mode: {}, limits: [{ limit: 1, window: 1m }]',
    'name: a, limits: [{ limit: 1, window: 1m }], bypass_roles: [{}]',
    'name: a, limits: [{ limit: 1, window: 1m }], overrides: [{ identifier: {}, mode: UNLIMITED }]',
  ])('is refused where a map or list stands for a value: { %s }', (rule) => {
    // A map that can't even be made a text of.
    const { problems } = withRule(`  - { ${rule.replace('{}', '{ toString: 1, valueOf: 1 }')} }\n`);
    expect(problems).toEqual([
      expect.stringMatching(/ rules\[1\]\S+ must be (?:of the type|one of|a length)/),
    ]);
  });

  it.each([
    ['', '1:1'],
    ['rules:', '1:1 rules'],
    ['rules: []', '1:1 rules has no api_default'],
    ['[1', '1:3'],
    ['---\nrules: []\n---\nrules: []\n', '3:1 must be one document'],
  ])('is refused where it is %j', (text, problem) => {
    expect(readRulesYaml(text).problems[0]).toContain(problem);
  });

  it('is refused where anchors would make it huge', () => {
    let text = 'a: &a0 [x, x, x, x, x, x, x, x, x, x]\n';
    for (let level = 1; level < 9; level += 1) {
      text += `b${level}: &a${level} [${Array(10).fill(`*a${level - 1}`)}]\n`;
    }
    const start = performance.now();
    expect(readRulesYaml(`${text}rules: *a8\n`).problems).toEqual([
      '1:1 Excessive alias count indicates a resource exhaustion attack',
    ]);
    expect(performance.now() - start).toBeLessThan(2_000);
  });

  it('has its first 50 problems shown', () => {
    const rules = Array.from({ length: 80 }, (_, index) => `  - { name: r${index}, limits: [] }\n`);
    const { problems } = withRule(rules.join(''));
    expect(problems).toHaveLength(51);
    expect(problems.at(-1)).toBe('and 30 more problems');
  });
});
