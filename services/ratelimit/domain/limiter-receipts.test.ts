import { beforeEach, describe, expect, it } from 'vitest';
import type { Decision } from './decision.ts';
import { InvalidReceipt, LeaseEnded, StoreAway } from './errors.ts';
import { check, MINUTE, rulesOf, state } from './testing-decisions.ts';
import { allowedTimes, answering, decide, World } from './testing-limiter.ts';

let world = new World();
beforeEach(() => {
  world = new World();
});

describe('refund', () => {
  it('gives back what a decision took, once', async () => {
    const limiter = world.limiter();
    const { receipt } = decide(limiter, check({ cost: 3, refundable: true }));
    expect(limiter.peek(check())).toMatchObject({ remaining: 2 });
    expect(await limiter.refund(receipt)).toBe(true);
    expect(limiter.peek(check())).toMatchObject({ remaining: 5 });
    decide(limiter, check({ cost: 3 }));
    expect(await limiter.refund(receipt)).toBe(false);
    expect(limiter.peek(check())).toMatchObject({ remaining: 2 });
  });

  it('gives back nothing of what has run out, or of a limit that is no more', async () => {
    const limiter = world.limiter();
    const { receipt } = decide(limiter, check({ refundable: true }));
    const other = decide(limiter, check({ endpoint: 'tight', refundable: true }));
    world.now += MINUTE;
    expect(await limiter.refund(receipt)).toBe(false);
    world.rules = rulesOf({});
    expect(await limiter.refund(other.receipt)).toBe(false);
  });

  it('gives back nothing of others once the window was edited', async () => {
    const every = (windowMicros: number) =>
      rulesOf({ orders: { limits: [{ algorithm: 'FIXED_WINDOW', limit: 5, windowMicros }] } });
    const asked = check({ endpoint: 'orders', refundable: true });
    world.rules = every(60 * MINUTE);
    const limiter = world.limiter();
    const { receipt } = decide(limiter, asked);
    world.rules = every(MINUTE);
    world.now += 3 * MINUTE;
    expect(allowedTimes(limiter, asked, 6)).toEqual([true, true, true, true, true, false]);
    expect(await limiter.refund(receipt)).toBe(false);
    expect(limiter.check(asked)).toMatchObject({ allowed: false });
  });

  it('has no receipt for a denial, nor for what was not counted', () => {
    const limiter = world.limiter();
    decide(limiter, check({ cost: 5 }));
    expect(limiter.check(check({ refundable: true }))).toMatchObject({ allowed: false, receipt: '' });
    expect(limiter.check(check({ roles: ['admin'], refundable: true }))).toMatchObject({ receipt: '' });
  });

  it.each(['FALLBACK_OPEN', 'FALLBACK_CLOSED'] as const)('has no receipt for %s', async (source) => {
    const limiter = world.limiter({ store: answering({ source, states: [state()] }) });
    expect(await limiter.check(check({ refundable: true }))).toMatchObject({ receipt: '' });
  });

  it('gives back nothing of shadow limits that were not taken', async () => {
    world.rules = rulesOf({
      orders: {
        limits: [
          { limit: 9, windowMicros: MINUTE },
          { name: 'a', limit: 9, windowMicros: MINUTE, shadow: true },
          { name: 'b', limit: 1, windowMicros: MINUTE, shadow: true },
        ],
      },
    });
    const limiter = world.limiter();
    const asked = check({ endpoint: 'orders', refundable: true });
    decide(limiter, asked);
    const { receipt } = decide(limiter, asked);
    await limiter.refund(receipt);
    const { outcomes } = limiter.peek(asked) as Decision;
    expect(outcomes.map(({ state: { remaining } }) => remaining)).toEqual([8, 8, 0]);
  });

  it('tells all that the keys may have room', async () => {
    const told: (readonly string[])[] = [];
    const limiter = world.limiter({ onRoom: (keys) => told.push(keys) });
    const { receipt } = decide(limiter, check({ refundable: true }));
    await limiter.refund(receipt);
    expect(told).toEqual([['ratelimit:auth_login:{user:1}']]);
  });

  it('tells so as well where the answer is lost: the units may be back', async () => {
    const told: (readonly string[])[] = [];
    const away = answering();
    away.refund = () => Promise.reject(new StoreAway('no answer within 50 ms'));
    const { receipt } = decide(world.limiter(), check({ refundable: true }));
    const limiter = world.limiter({ store: away, onRoom: (keys) => told.push(keys) });
    await expect(limiter.refund(receipt)).rejects.toThrow(StoreAway);
    expect(told).toEqual([['ratelimit:auth_login:{user:1}']]);
  });

  it('refuses what is no receipt', async () => {
    await expect(world.limiter().refund('nonsense')).rejects.toThrow(InvalidReceipt);
  });
});

describe('leases', () => {
  const asked = check({ endpoint: 'slots' });

  it('are held until they are given back', async () => {
    const limiter = world.limiter();
    const { receipt } = decide(limiter, asked);
    expect(allowedTimes(limiter, asked, 2)).toEqual([true, false]);
    expect(await limiter.refund(receipt)).toBe(true);
    expect(limiter.check(asked)).toMatchObject({ allowed: true });
  });

  it('end by themselves unless they are renewed', async () => {
    const limiter = world.limiter();
    const { receipt } = decide(limiter, asked);
    const other = decide(limiter, asked);
    world.now += MINUTE - 1;
    expect(await limiter.renew(receipt)).toBe(world.now + MINUTE);
    world.now += 1;
    expect(allowedTimes(limiter, asked, 2)).toEqual([true, false]);
    await expect(limiter.renew(other.receipt)).rejects.toThrow(LeaseEnded);
  });

  describe('beside a rate', () => {
    const both = check({ endpoint: 'jobs' });
    beforeEach(() => {
      world.rules = rulesOf({
        jobs: {
          limits: [
            { name: 'rate', limit: 3, windowMicros: MINUTE },
            { name: 'held', algorithm: 'CONCURRENCY', limit: 1, windowMicros: MINUTE },
          ],
        },
      });
    });

    it('are given back alone: an operation that is over keeps its units of the rate', async () => {
      const limiter = world.limiter();
      const allowed: boolean[] = [];
      for (let operation = 0; operation < 5; operation += 1) {
        const decision = decide(limiter, both);
        allowed.push(decision.allowed);
        if (decision.allowed) expect(await limiter.refund(decision.receipt)).toBe(true);
      }
      expect(allowed).toEqual([true, true, true, false, false]);
    });

    it('are given back with the units of the rate where the check was refundable', async () => {
      const limiter = world.limiter();
      const { receipt } = decide(limiter, { ...both, refundable: true });
      await limiter.refund(receipt);
      const { outcomes } = limiter.peek(both) as Decision;
      expect(outcomes.map(({ state: { remaining } }) => remaining)).toEqual([3, 1]);
    });

    it('are given back alone of operations that were decided together', async () => {
      const limiter = world.limiter();
      const { receipt } = await limiter.checkTogether([both, check()]);
      await limiter.refund(receipt);
      const { outcomes } = limiter.peek(both) as Decision;
      expect(outcomes.map(({ state: { remaining } }) => remaining)).toEqual([2, 1]);
      expect(limiter.peek(check())).toMatchObject({ remaining: 99 });
    });
  });

  it('are not what other limits give', async () => {
    const limiter = world.limiter();
    const { receipt } = decide(limiter, check({ refundable: true }));
    await expect(limiter.renew(receipt)).rejects.toThrow(LeaseEnded);
  });
});
