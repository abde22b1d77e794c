import { RateLimitUnit } from '../../gen/envoy/type/v3/ratelimit_unit_pb.ts';

/** A day: no test comes upon its end but at midnight. */
export const EDGE = `
domain: edge
descriptors:
  - { key: address, rate_limit: { unit: day, requests_per_unit: 2, name: by_address } }
  - { key: address, value: 10.0.0.1, rate_limit: { unit: day, requests_per_unit: 1000000 } }
  - { key: address, value: 127.*, rate_limit: { unlimited: true } }
  - { key: large, rate_limit: { unit: YEAR, requests_per_unit: 4294967295 } }
  - { key: none, rate_limit: { unit: day, requests_per_unit: 0 } }
  - { key: listed, value: friend }
  - { key: listed, rate_limit: { unit: day, requests_per_unit: 0 } }
  - key: path
    rate_limit: { unit: day, requests_per_unit: 5 }
    descriptors:
      - { key: method, value: POST, rate_limit: { unit: day, requests_per_unit: 1 } }
  - key: shared
    value: "team-*"
    share_threshold: true
    rate_limit: { unit: day, requests_per_unit: 2 }
  - key: apart
    value: "team-*"
    rate_limit: { unit: day, requests_per_unit: 2 }
  - key: shared_above
    value: "org-*"
    share_threshold: true
    descriptors:
      - { key: user, rate_limit: { unit: day, requests_per_unit: 2 } }
  - { key: old, rate_limit: { unit: day, requests_per_unit: 0, name: old } }
  - { key: new, rate_limit: { unit: day, requests_per_unit: 2, name: new, replaces: [{ name: old }] } }
  - { key: trial, shadow_mode: true, rate_limit: { unit: day, requests_per_unit: 1 } }
  - { key: quota_a, quota_mode: true, rate_limit: { unit: day, requests_per_unit: 1 } }
  - { key: quota_b, quota_mode: true, rate_limit: { unit: day, requests_per_unit: 2 } }
  - { key: detailed, detailed_metric: true, rate_limit: { unit: day, requests_per_unit: 5 } }
  - { key: user, rate_limit: { rule: auth_login, identifier: "user:{user}" } }
  - { key: second, rate_limit: { unit: Second, requests_per_unit: 9 } }
  - { key: minute, rate_limit: { unit: MINUTE, requests_per_unit: 9 } }
  - { key: hour, rate_limit: { unit: hour, requests_per_unit: 9 } }
  - { key: week, rate_limit: { unit: week, requests_per_unit: 9 } }
  - { key: month, rate_limit: { unit: month, requests_per_unit: 9 } }
  - { key: year, rate_limit: { unit: year, requests_per_unit: 9 } }
`;
export const OTHER = `
domain: other
descriptors:
  - { key: address, rate_limit: { unit: day, requests_per_unit: 7 } }
`;

/** Requests one after the other, each with its answer. `$` stands for a value that is new in each test. */
export interface Case {
  readonly feature: string;
  readonly steps: readonly Step[];
}
export type Step = readonly [
  ask: { readonly domain?: string; readonly hits?: number; readonly of: readonly Of[] },
  answer: string,
];
type Of =
  | string
  | readonly [string, { hits?: number; back?: true; limit?: readonly [number, RateLimitUnit] }];

/** The largest number of the API. */
export const MOST = 4_294_967_295;

/** Every feature of the API, and of the reference implementation's configuration. */
export const CASES: readonly Case[] = [
  {
    feature: 'the default limit of a key, for each value apart',
    steps: [
      [{ of: ['address=$'] }, 'OK: OK 1'],
      [{ of: ['address=$'] }, 'OK: OK 0'],
      [{ of: ['address=$'] }, 'OVER: OVER 0'],
      [{ of: ['address=$2'] }, 'OK: OK 1'],
    ],
  },
  { feature: 'a domain that no file has', steps: [[{ domain: 'nobody', of: ['address=$'] }, 'OK: OK 0']] },
  { feature: 'domains apart', steps: [[{ domain: 'other', of: ['address=$'] }, 'OK: OK 6']] },
  { feature: 'a key that no file has', steps: [[{ of: ['unknown=$'] }, 'OK: OK 0']] },
  { feature: 'an exact value before all else', steps: [[{ of: ['listed=friend'] }, 'OK: OK 0']] },
  { feature: 'the default beside an exact value', steps: [[{ of: ['listed=$'] }, 'OVER: OVER 0']] },
  { feature: 'a wildcard, and no end', steps: [[{ of: ['address=127.0.0.1'] }, `OK: OK ${MOST}`]] },
  { feature: 'no room at all', steps: [[{ of: ['none=$'] }, 'OVER: OVER 0']] },
  {
    feature: 'nested descriptors, each depth by itself',
    steps: [
      [{ of: ['path=$,method=POST'] }, 'OK: OK 0'],
      [{ of: ['path=$,method=POST'] }, 'OVER: OVER 0'],
      [{ of: ['path=$'] }, 'OK: OK 4'],
      [{ of: ['path=$,method=GET'] }, 'OK: OK 0'],
      [{ of: ['path=$,method=POST,more=1'] }, 'OK: OK 0'],
    ],
  },
  {
    feature: 'hits_addend of the request',
    steps: [
      [{ hits: 4, of: ['path=$'] }, 'OK: OK 1'],
      [{ hits: 0, of: ['path=$'] }, 'OK: OK 0'],
    ],
  },
  {
    feature: 'hits_addend of a descriptor before that of the request, and 0 to look',
    steps: [
      [{ hits: 4, of: [['path=$', { hits: 2 }], 'path=$2'] }, 'OK: OK 3, OK 1'],
      [{ hits: 4, of: [['path=$', { hits: 0 }]] }, 'OK: OK 3'],
      [{ of: [['path=$', { hits: 3 }]] }, 'OK: OK 0'],
      [{ of: [['path=$', { hits: 0 }]] }, 'OVER: OVER 0'],
    ],
  },
  {
    feature: 'the largest numbers of the API',
    steps: [
      [{ hits: MOST, of: ['large=$'] }, 'OK: OK 0'],
      [{ of: ['large=$'] }, 'OVER: OVER 0'],
      [{ hits: MOST - 1, of: ['large=$2'] }, 'OK: OK 1'],
      [{ of: [['large=$3', { hits: 2 ** 53 }]] }, 'OK: OK 0'],
    ],
  },
  {
    feature: 'costs that are known at the end: what is left of them is taken',
    steps: [
      [{ hits: 3, of: ['path=$'] }, 'OK: OK 2'],
      [{ hits: 4, of: ['path=$'] }, 'OVER: OVER 0'],
      [{ hits: 9, of: ['path=$2'] }, 'OVER: OVER 0'],
      [{ of: [['path=$', { hits: 0 }]] }, 'OVER: OVER 0'],
    ],
  },
  {
    feature: 'all descriptors or none',
    steps: [
      [{ of: ['path=$', 'none=$'] }, 'OVER: OK 5, OVER 0'],
      [{ of: ['path=$', 'address=$', 'unknown=$'] }, 'OK: OK 4, OK 1, OK 0'],
    ],
  },
  {
    feature: 'a limit that the caller brings',
    steps: [
      [{ of: [['address=$', { limit: [3, RateLimitUnit.DAY] }]] }, 'OK: OK 2'],
      [{ of: ['address=$'] }, 'OK: OK 0'],
      [{ of: [['address=$', { limit: [3, RateLimitUnit.MONTH] }]] }, 'OK: OK 2'],
      [{ of: [['unknown=$', { limit: [1, RateLimitUnit.WEEK] }]] }, 'OK: OK 0'],
      [{ of: [['unknown=$', { limit: [0, RateLimitUnit.WEEK] }]] }, 'OVER: OVER 0'],
      [{ domain: 'nobody', of: [['unknown=$', { limit: [0, RateLimitUnit.WEEK] }]] }, 'OK: OK 0'],
    ],
  },
  {
    feature: 'negative hits, never above the limit and never over',
    steps: [
      [{ hits: 5, of: ['path=$'] }, 'OK: OK 0'],
      [{ hits: 2, of: [['path=$', { back: true }]] }, 'OK: OK 2'],
      [{ of: [['path=$', { back: true, hits: 1 }]] }, 'OK: OK 3'],
      [{ hits: MOST, of: [['path=$', { back: true }]] }, 'OK: OK 5'],
      [{ of: [['none=$', { back: true }]] }, 'OK: OK 0'],
    ],
  },
  {
    feature: 'a threshold that values share',
    steps: [
      [{ of: ['shared=team-$'] }, 'OK: OK 1'],
      [{ of: ['shared=team-$2'] }, 'OK: OK 0'],
      [{ of: ['shared=team-$3'] }, 'OVER: OVER 0'],
      [{ of: ['apart=team-$'] }, 'OK: OK 1'],
      [{ of: ['apart=team-$2'] }, 'OK: OK 1'],
    ],
  },
  {
    feature: 'a shared threshold above the limit',
    steps: [
      [{ of: ['shared_above=org-$,user=$'] }, 'OK: OK 1'],
      [{ of: ['shared_above=org-$2,user=$'] }, 'OK: OK 0'],
      [{ of: ['shared_above=org-$,user=$2'] }, 'OK: OK 1'],
    ],
  },
  {
    feature: 'a limit that another replaces',
    steps: [
      [{ of: ['old=$'] }, 'OVER: OVER 0'],
      [{ of: ['old=$', 'new=$'] }, 'OK: OK 0, OK 1'],
    ],
  },
  {
    feature: 'shadow mode',
    steps: [
      [{ of: ['trial=$'] }, 'OK: OK 0'],
      [{ of: ['trial=$', 'address=$'] }, 'OK: OK 0, OK 1'],
    ],
  },
  {
    feature: 'quota mode: over where all quotas are',
    steps: [
      [{ of: ['quota_a=$', 'quota_b=$'] }, 'OK: OK 0, OK 1'],
      [{ of: ['quota_a=$', 'quota_b=$'] }, 'OK: OVER 0, OK 0'],
      [{ of: ['quota_a=$', 'quota_b=$'] }, 'OVER: OVER 0, OVER 0'],
    ],
  },
  {
    feature: 'a rule of ours',
    steps: [
      [{ hits: 3, of: ['user=$'] }, 'OK: OK 2'],
      [{ hits: 1, of: [['user=$', { back: true }]] }, 'OK: OK 3'],
      [{ hits: 4, of: ['user=$'] }, 'OVER: OVER 0'],
    ],
  },
  {
    feature: 'values with any characters, none like another',
    steps: [
      [{ hits: 2, of: ['address=$,path=1'] }, 'OK: OK 0'],
      [{ hits: 2, of: ['address=$\u0000\n{}%:'] }, 'OK: OK 0'],
      [{ of: ['address=$\u0000\n{}%'] }, 'OK: OK 1'],
      [{ hits: 2, of: [`address=$${'x'.repeat(4_000)}`] }, 'OK: OK 0'],
      [{ of: [`address=$${'x'.repeat(3_999)}y`] }, 'OK: OK 1'],
      [{ hits: 2, of: [`address=$${'x'.repeat(100_000)}`] }, 'OK: OK 0'],
      [{ of: [`address=$${'x'.repeat(100_000)}`] }, 'OVER: OVER 0'],
      [{ of: ['address='] }, 'OK: OK 1'],
    ],
  },
];
