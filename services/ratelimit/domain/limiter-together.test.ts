import { beforeEach, describe, expect, it } from 'vitest';
import { TooManyTerms } from './errors.ts';
import { check, MINUTE, SECOND } from './testing-decisions.ts';
import { decide, World } from './testing-limiter.ts';

let world = new World();
beforeEach(() => {
  world = new World();
});

describe('checkTogether', () => {
  it('counts all where all have room', async () => {
    const limiter = world.limiter();
    const { decisions, receipt } = await limiter.checkTogether([
      check({ cost: 2 }),
      check({ endpoint: 'orders' }),
    ]);
    expect(decisions).toMatchObject([
      { allowed: true, remaining: 3, receipt: '' },
      { allowed: true, remaining: 99, receipt: '' },
    ]);
    expect(receipt).toBe('');
  });

  it('counts none where one has no room; each says so, and how long until the last has', async () => {
    const limiter = world.limiter();
    decide(limiter, check({ cost: 4 }));
    world.now += SECOND;
    const { decisions, receipt } = await limiter.checkTogether([
      check({ endpoint: 'orders', refundable: true }),
      check({ cost: 2 }),
      check({ endpoint: 'free' }),
    ]);
    const retryAfterMicros = MINUTE - SECOND;
    expect(decisions).toMatchObject([
      { allowed: false, retryAfterMicros, outcomes: [{ state: { allowed: true, remaining: 100 } }] },
      { allowed: false, retryAfterMicros, outcomes: [{ state: { allowed: false } }] },
      { allowed: false, retryAfterMicros, outcomes: [] },
    ]);
    expect(receipt).toBe('');
    expect(limiter.peek(check({ endpoint: 'orders' }))).toMatchObject({ remaining: 100 });
    expect(limiter.peek(check())).toMatchObject({ remaining: 1 });
  });

  it('adds up what several ask of one key', async () => {
    const limiter = world.limiter();
    decide(limiter, check());
    expect((await limiter.checkTogether([check({ cost: 3 }), check({ cost: 2 })])).decisions).toMatchObject([
      { allowed: false },
      { allowed: false },
    ]);
    expect((await limiter.checkTogether([check({ cost: 2 }), check({ cost: 2 })])).decisions).toMatchObject([
      { allowed: true, remaining: 0 },
      { allowed: true, remaining: 0 },
    ]);
  });

  it('has one receipt over all of them', async () => {
    const limiter = world.limiter();
    const { receipt } = await limiter.checkTogether([
      check({ cost: 2, refundable: true }),
      check({ cost: 2 }),
      check({ endpoint: 'orders' }),
    ]);
    expect(await limiter.refund(receipt)).toBe(true);
    expect(limiter.peek(check())).toMatchObject({ remaining: 5 });
    expect(limiter.peek(check({ endpoint: 'orders' }))).toMatchObject({ remaining: 100 });
  });

  it('leaves out a shadow limit that they ask for more than it ever has', async () => {
    const one = check({ endpoint: 'tried', cost: 2 });
    const { decisions } = await world.limiter().checkTogether([one, one]);
    expect(decisions).toMatchObject([
      { allowed: true, shadowDenied: true, remaining: 1, outcomes: [{}] },
      { allowed: true, shadowDenied: true, remaining: 1, outcomes: [{}] },
    ]);
  });

  it('asks nothing where nothing is to be counted', async () => {
    const { decisions, receipt } = await world
      .limiter()
      .checkTogether([check({ endpoint: 'free', refundable: true }), check({ roles: ['admin'] })]);
    expect(decisions).toMatchObject([{ source: 'UNLIMITED' }, { source: 'BYPASS' }]);
    expect(receipt).toBe('');
    expect(world.store.asks).toEqual([]);
  });

  it('refuses more limits than one script may hold Redis for, and counts nothing', async () => {
    const checks = Array.from({ length: 1_001 }, (_, user) =>
      check({ endpoint: 'tight', identifier: `user:${user}` }),
    );
    await expect(world.limiter().checkTogether(checks)).rejects.toThrow(TooManyTerms);
    expect(world.store.asks).toEqual([]);
  });
});
