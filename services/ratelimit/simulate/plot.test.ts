import { expect, test } from 'vitest';
import { MINUTE, rulesOf } from '../domain/testing-decisions.ts';
import { plotSvg } from './plot.ts';
import { START, simulateLines } from './testing-logs.ts';

const rules = rulesOf({
  orders: {
    limits: [
      { limit: 4, windowMicros: MINUTE },
      { name: 'trial', limit: 3, windowMicros: MINUTE, shadow: true },
    ],
  },
});
const lines = Array.from({ length: 6 }, () => ({ time: START, ip: 'a', path: '/orders' }));

test('a bar shows what was allowed, denied by a shadow limit and denied, each as high as its number', async () => {
  const svg = plotSvg(await simulateLines(rules, lines), 'access.log');
  expect(svg).toContain(
    '<title>2023-11-14T22:14:00.000Z: 4 allowed (1 denied by a shadow limit), 2 denied</title>',
  );
  const bars = /<g><title>.*<\/g>/.exec(svg)?.[0] ?? '';
  const heights = [...bars.matchAll(/ height="([\d.]+)"/g)].map(([, height]) => Number(height));
  const [allowed = 0, shadowDenied = 0, denied = 0] = heights;
  expect(heights).toHaveLength(3);
  expect(allowed / shadowDenied).toBeCloseTo(3, 1);
  expect(denied / shadowDenied).toBeCloseTo(2, 1);
  for (const text of ['allowed: 3', 'allowed, denied by a shadow limit: 1', 'denied: 2'])
    expect(svg).toContain(`>${text}</text>`);
});

test('the file needs nothing else, and every element is closed', async () => {
  const svg = plotSvg(await simulateLines(rules, lines), '<script>"&\u0000.log');
  expect(svg).toContain('&lt;script&gt;"&amp;\uFFFD.log: requests per second');
  expect(svg).not.toMatch(/<script|<style|<image|href|url\(|NaN|Infinity/);
  const open: string[] = [];
  for (const [, close, name = '', self] of svg.matchAll(/<(\/?)([a-z]+)[^>]*?(\/?)>/g)) {
    if (close === '/') expect(open.pop()).toBe(name);
    else if (self === '') open.push(name);
  }
  expect(open).toEqual([]);
});

test('a log without requests has a plot without bars', async () => {
  const svg = plotSvg(await simulateLines(rules, []), 'access.log');
  expect(svg).toContain('allowed: 0');
  expect(svg).not.toMatch(/<g>|NaN|Infinity/);
});
