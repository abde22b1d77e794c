import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { DecisionTail, MAX_WATCHERS, TooManyWatchers } from './decision-tail.ts';
import type { TailEvent, TailFilter } from './tail-watcher.ts';
import { check, decisionOn, full, state, T } from './testing-decisions.ts';

const ALL: TailFilter = { endpoint: '', identifierPrefix: '', deniedOnly: false, sampleRate: 1 };

let abort = new AbortController();
afterEach(() => {
  abort.abort();
  abort = new AbortController();
});

/** What a watcher reads, as it comes. */
function reading(tail: DecisionTail, filter: Partial<TailFilter> = {}, signal = abort.signal) {
  const events: TailEvent[] = [];
  const ended = (async () => {
    for await (const event of tail.watch({ ...ALL, ...filter }, signal)) events.push(event);
  })();
  ended.catch(() => undefined);
  return { events, ended };
}

function pushAllowed(tail: DecisionTail, identifier: string, endpoint = 'auth_login'): void {
  const asked = check({ endpoint, identifier });
  tail.push(asked, decisionOn(asked, state()));
}

function identifiers(events: readonly TailEvent[]): readonly string[] {
  return events.map(({ identifier }) => identifier);
}

describe('DecisionTail', () => {
  it('shows decisions as they are made, to everybody who watches', async () => {
    const tail = new DecisionTail(() => T);
    const [one, two] = [reading(tail), reading(tail)];
    pushAllowed(tail, 'user:1');
    await expect.poll(() => [one.events.length, two.events.length]).toEqual([1, 1]);
    pushAllowed(tail, 'user:2');
    await expect.poll(() => identifiers(one.events)).toEqual(['user:1', 'user:2']);
    expect(one.events[0]).toMatchObject({
      atMicros: T,
      endpoint: 'auth_login',
      identifier: 'user:1',
      cost: 1,
      dropped: 0,
      decision: { allowed: true, remaining: 1, source: 'REDIS' },
    });
  });

  it('shows nothing of the time before', async () => {
    const tail = new DecisionTail();
    pushAllowed(tail, 'early');
    const { events } = reading(tail);
    pushAllowed(tail, 'late');
    await expect.poll(() => identifiers(events)).toEqual(['late']);
  });

  it('shows only what passes the filter', async () => {
    const tail = new DecisionTail();
    const ofEndpoint = reading(tail, { endpoint: 'orders' });
    const ofPrefix = reading(tail, { identifierPrefix: 'ip:' });
    const ofDenials = reading(tail, { deniedOnly: true });
    pushAllowed(tail, 'user:1', 'orders');
    pushAllowed(tail, 'ip:::1');
    pushAllowed(tail, 'user:ip:');
    tail.push(check(), decisionOn(check({ identifier: 'user:2' }), full()));
    tail.push(check(), { ...decisionOn(check({ identifier: 'user:3' }), state()), shadowDenied: true });
    await expect.poll(() => identifiers(ofDenials.events)).toEqual(['user:2', 'user:3']);
    expect(identifiers(ofEndpoint.events)).toEqual(['user:1']);
    expect(identifiers(ofPrefix.events)).toEqual(['ip:::1']);
  });

  it('names the key that decided, of a check over several', async () => {
    const tail = new DecisionTail();
    const { events } = reading(tail, { identifierPrefix: 'ip:' });
    const asked = check({ also: [{ endpoint: 'orders', identifier: 'ip:1', cost: 3 }] });
    tail.push(asked, decisionOn(asked, state({ remaining: 5 }), full()));
    tail.push(asked, decisionOn(asked, full(), state()));
    tail.push(asked, decisionOn(asked, state({ remaining: 5 }), state({ remaining: 4 })));
    await expect.poll(() => events.length).toBe(2);
    expect(events).toMatchObject([
      { endpoint: 'orders', identifier: 'ip:1', cost: 3, decision: { allowed: false } },
      { endpoint: 'orders', identifier: 'ip:1', cost: 3, decision: { allowed: true, remaining: 4 } },
    ]);
  });

  it('names the check where nothing was asked', async () => {
    const tail = new DecisionTail();
    const { events } = reading(tail);
    const bypassed = { ...decisionOn(check(), state()), outcomes: [], bypassed: true };
    tail.push(check({ cost: 0 }), bypassed);
    tail.push(check({ cost: 7 }), bypassed);
    await expect
      .poll(() => events)
      .toMatchObject([{ endpoint: 'auth_login', identifier: 'user:1', cost: 1 }, { cost: 7 }]);
  });

  it('shows about the share that a sample asks for', () => {
    const tail = new DecisionTail();
    const { events } = reading(tail, { sampleRate: 0.25 });
    let pushed = 0;
    for (; pushed < 1_000; pushed += 1) pushAllowed(tail, 'user:1');
    return sleep(1_200).then(() => {
      // 250 ± 14 by the binomial distribution: eight deviations to either side.
      expect(events.length).toBeGreaterThan(140);
      expect(events.length).toBeLessThan(360);
      expect(events.every(({ dropped }) => dropped === 0)).toBe(true);
    });
  });

  it('drops the oldest for a watcher that reads too slowly, and tells it how many', async () => {
    const tail = new DecisionTail();
    const events = tail.watch(ALL, abort.signal);
    const first = events.next();
    pushAllowed(tail, 'first');
    expect((await first).value).toMatchObject({ identifier: 'first', dropped: 0 });
    for (let index = 0; index < 1_500; index += 1) pushAllowed(tail, `user:${index}`);
    expect((await events.next()).value).toMatchObject({ identifier: 'user:476', dropped: 476 });
    expect((await events.next()).value).toMatchObject({ identifier: 'user:477', dropped: 0 });
  });

  it('sends a watcher at most 1,000 decisions a second', async () => {
    const tail = new DecisionTail();
    const { events } = reading(tail);
    const started = performance.now();
    for (let index = 0; index < 1_000; index += 1) pushAllowed(tail, 'user:1');
    await expect.poll(() => events.length, { interval: 5, timeout: 5_000 }).toBe(1_000);
    expect(performance.now() - started).toBeGreaterThan(850);
  });

  it('ends with the reason of the signal, and frees the place', async () => {
    const tail = new DecisionTail();
    const { ended } = reading(tail);
    await expect.poll(() => tail.watchers).toBe(1);
    const reason = new Error('the caller is gone');
    abort.abort(reason);
    await expect(ended).rejects.toBe(reason);
    expect(tail.watchers).toBe(0);
  });

  it('ends also where it is holding back', async () => {
    const tail = new DecisionTail();
    const { events, ended } = reading(tail);
    for (let index = 0; index < 1_000; index += 1) pushAllowed(tail, 'user:1');
    await expect.poll(() => events.length, { interval: 1 }).toBeGreaterThanOrEqual(100);
    const reason = new Error('the caller is gone');
    abort.abort(reason);
    await expect(ended).rejects.toBe(reason);
    expect(tail.watchers).toBe(0);
  });

  it('takes no place for a signal that is aborted already', async () => {
    const tail = new DecisionTail();
    await expect(reading(tail, {}, AbortSignal.abort(new Error('gone'))).ended).rejects.toThrow('gone');
    expect(tail.watchers).toBe(0);
  });

  it('frees the place of a watcher that stops reading', async () => {
    const tail = new DecisionTail();
    const events = tail.watch(ALL, abort.signal);
    const first = events.next();
    pushAllowed(tail, 'user:1');
    await first;
    expect(tail.watchers).toBe(1);
    await events.return(undefined);
    expect(tail.watchers).toBe(0);
  });

  it('refuses more than its places, and has them again when somebody leaves', async () => {
    const tail = new DecisionTail();
    const leaving = new AbortController();
    reading(tail, {}, leaving.signal);
    for (let taken = 1; taken < MAX_WATCHERS; taken += 1) reading(tail);
    await expect.poll(() => tail.watchers).toBe(MAX_WATCHERS);
    await expect(reading(tail).ended).rejects.toThrow(TooManyWatchers);
    leaving.abort();
    await expect.poll(() => tail.watchers).toBe(MAX_WATCHERS - 1);
    const late = reading(tail);
    pushAllowed(tail, 'user:1');
    await expect.poll(() => late.events.length).toBe(1);
  });
});
