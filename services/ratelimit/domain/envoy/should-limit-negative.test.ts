import { describe, expect, it } from 'vitest';
import { StoreAway } from '../errors.ts';
import { SECOND, state } from '../testing-decisions.ts';
import { answering } from '../testing-limiter.ts';
import { descriptorOf } from './testing-descriptors.ts';
import { asking, EnvoyWorld } from './testing-should-limit.ts';

const rate = (requestsPerUnit: number) => ({ rateLimit: { unit: 'MINUTE', requestsPerUnit } });
const MOST = 4_294_967_295;

describe('negative hits', () => {
  it('give back what was taken, never more, and are never over', async () => {
    const world = new EnvoyWorld([descriptorOf('ip', rate(5))]);
    await world.ask(asking('ip=1', { hits: 5 }));
    const back = (hits: number) => world.ask(asking('ip=1', { hits, givesBack: true }));
    expect(await back(2)).toMatchObject({ over: false, statuses: [{ over: false, remaining: 2 }] });
    expect(await back(0)).toMatchObject({ over: false, statuses: [{ remaining: 2 }] });
    expect(await back(MOST)).toMatchObject({ over: false, statuses: [{ remaining: 5 }] });
    expect(await world.left('ip=1')).toEqual([5]);
  });

  it('tell all replicas that there is room', async () => {
    const room: string[] = [];
    const limiterOptions = { onRoom: (keys: readonly string[]) => room.push(...keys) };
    const world = new EnvoyWorld([descriptorOf('ip', rate(5))], { limiterOptions });
    await world.ask(asking('ip=1'), asking('ip=2', { givesBack: true }));
    expect(room).toEqual(['ratelimit:envoy|edge:{ip=2}:minute~f']);
  });

  it('give back units of a log that were taken at several times', async () => {
    const world = new EnvoyWorld([descriptorOf('user', { rateLimit: { rule: 'auth_login' } })]);
    for (let times = 0; times < 4; times += 1) {
      await world.ask(asking('user=1'));
      world.now += SECOND;
    }
    const { statuses } = await world.ask(asking('user=1', { hits: 3, givesBack: true }));
    expect(statuses).toMatchObject([{ remaining: 4 }]);
  });

  it('are told of where they could not be given back, and are not over for that', async () => {
    const errors: unknown[] = [];
    const closed = { source: 'FALLBACK_OPEN', states: [state({ remaining: 5 })] } as const;
    const world = new EnvoyWorld([descriptorOf('ip', rate(5))], {
      limiterOptions: { store: answering(closed, closed) },
      onNotGivenBack: (error) => errors.push(error),
    });
    expect((await world.ask(asking('ip=1', { givesBack: true }))).over).toBe(false);
    expect(errors).toEqual([expect.any(StoreAway)]);
  });
});
