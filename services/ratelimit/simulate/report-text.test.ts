import { expect, test } from 'vitest';
import { MINUTE, rulesOf, SECOND } from '../domain/testing-decisions.ts';
import { reportText } from './report-text.ts';
import { START, simulateLines } from './testing-logs.ts';

const rules = rulesOf({
  orders: {
    limits: [
      { limit: 2, windowMicros: MINUTE },
      { name: 'trial', limit: 1, burst: 2, windowMicros: MINUTE, algorithm: 'TOKEN_BUCKET', shadow: true },
    ],
  },
});

function requests(count: number, ip: string) {
  return Array.from({ length: count }, (_, at) => ({ time: START + at * SECOND, ip, path: '/orders' }));
}

test('the report as tables', async () => {
  const report = await simulateLines(rules, ['nonsense', ...requests(4, 'a'), ...requests(1, 'b')], {
    suggestRatio: 0.2,
  });
  expect(reportText(report, 'access.log').split('\n')).toEqual([
    'access.log: 5 requests, 2023-11-14T22:14:00.000Z to 2023-11-14T22:14:03.000Z',
    '1 of 6 lines could not be read: 1 is not a JSON object',
    '',
    'endpoint  rule    requests  allowed   denied  shadow denied  bypassed  peak second  peak minute',
    'orders    orders         5        3  2 (40%)              0         0            2            5',
    '',
    'endpoint  limit                                     asked  no room  peak of a window  of one caller',
    'orders    2 / 1m SLIDING_WINDOW_LOG                     5  2 (40%)                 5  4 (ip:a, 2023-11-14T22:14:00.000Z)',
    'orders    1 / 1m burst 2 TOKEN_BUCKET trial shadow      5  2 (40%)                 5  4 (ip:a, 2023-11-14T22:14:00.000Z)',
    'Windows of peaks begin at multiples of their length (UTC).',
    '',
    'endpoint  most denied  times',
    'orders    ip:a             2',
    '',
    'endpoint  limit                                     for 20% denied   denies  one less denies  denies nothing',
    'orders    2 / 1m SLIDING_WINDOW_LOG                 3               1 (20%)          2 (40%)  4',
    'orders    1 / 1m burst 2 TOKEN_BUCKET trial shadow  2, burst 4            0          2 (40%)  2, burst 4',
    'Each limit by itself, as if its rule had no other.',
  ]);
});

test('on a narrow terminal a table that is wider is a block for each row', async () => {
  const report = await simulateLines(rules, requests(4, 'a'));
  const lines = reportText(report, 'access.log', 80).split('\n');
  expect(lines).toContain('of one caller     4 (ip:a, 2023-11-14T22:14:00.000Z)');
  expect(lines).toContain('endpoint  most denied  times');
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
});

test('a log without requests has no tables', async () => {
  expect(reportText(await simulateLines(rules, []), 'access.log')).toBe('access.log: 0 requests');
});
