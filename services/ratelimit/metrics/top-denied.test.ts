import { expect, it, onTestFinished } from 'vitest';
import { Metrics } from '../../../runtime/metrics/metrics.ts';
import { TopKeys } from '../domain/top-keys.ts';
import { linesOf, scrape } from './testing-scrape.ts';
import { TopDenied } from './top-denied.ts';

const NAME = 'optix_ratelimit_top_denied_checks';
const FIVE_MINUTES_MS = 300_000;

function topDenied(size: number, maxCounters = 1_000) {
  const clock = { now: 0 };
  const metrics = new Metrics();
  const keys = new TopKeys({ maxCounters });
  onTestFinished(() => keys[Symbol.dispose]());
  new TopDenied(metrics, { keys, size, now: () => clock.now });
  const deny = (identifier: string, times = 1, endpoint = 'auth_login') => {
    for (let each = 0; each < times; each += 1) keys.record(endpoint, identifier, true);
  };
  const told = async () =>
    Object.fromEntries(
      Object.entries(linesOf(await scrape(metrics), `${NAME}{`)).map(([line, value]) => [
        /identifier="([^"]*)"/.exec(line)?.[1],
        value,
      ]),
    );
  return { clock, metrics, keys, deny, told };
}

it('tells the keys that are denied most, with endpoint, and none that are only allowed', async () => {
  const { metrics, keys, deny } = topDenied(2);
  for (let times = 0; times < 9; times += 1) keys.record('auth_login', 'user:allowed', false);
  deny('user:1', 1);
  deny('user:2', 2);
  deny('user:3', 3, 'orders');
  expect(linesOf(await scrape(metrics), `${NAME}{`)).toEqual({
    [`${NAME}{endpoint="orders",identifier="user:3"}`]: 3,
    [`${NAME}{endpoint="auth_login",identifier="user:2"}`]: 2,
  });
});

it('keeps the keys for five minutes, with figures of the moment, and then chooses anew', async () => {
  const { clock, deny, told } = topDenied(2);
  deny('a', 2);
  deny('b', 1);
  expect(await told()).toEqual({ a: 2, b: 1 });
  deny('c', 9);
  deny('a', 1);
  clock.now = FIVE_MINUTES_MS - 1;
  expect(await told()).toEqual({ a: 3, b: 1 });
  clock.now = FIVE_MINUTES_MS;
  expect(await told()).toEqual({ c: 9, a: 3 });
});

it('lets others join at once while there are fewer', async () => {
  const { deny, told } = topDenied(2);
  expect(await told()).toEqual({});
  deny('a');
  expect(await told()).toEqual({ a: 1 });
  deny('b', 2);
  deny('c', 3);
  expect(await told()).toEqual({ a: 1, c: 3 });
});

it('tells 0 of a key whose denials are too long ago', async () => {
  const { keys, deny, told } = topDenied(2);
  deny('a');
  expect(await told()).toEqual({ a: 1 });
  keys.turn();
  keys.turn();
  expect(await told()).toEqual({ a: 0 });
});

it('cuts identifiers at 128 characters, and tells those that are then alike as one', async () => {
  const { deny, told } = topDenied(10);
  const long = 'x'.repeat(127);
  deny(`${long}\u{1f600}`, 2);
  deny(`${long}\u{1f990}`, 1);
  deny(`${long}y-and-more`, 1);
  expect(await told()).toEqual({ [`${long}\ufffd`]: 3, [`${long}y`]: 1 });
});

it('does not tell a key whose denials are none for certain, in a flood of others', async () => {
  const { deny, told } = topDenied(10, 100);
  deny('attacker', 500);
  for (let each = 0; each < 5_000; each += 1) deny(`passer-by:${each}`);
  const figures = await told();
  expect(figures['attacker']).toBe(500);
  expect(Object.values(figures).filter((checks) => Number(checks) > 1)).toEqual([500]);
});

it('tells nothing where it is switched off', async () => {
  const { deny, told } = topDenied(0);
  deny('a');
  expect(await told()).toEqual({});
});
