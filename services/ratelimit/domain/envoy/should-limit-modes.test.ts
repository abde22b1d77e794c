import { describe, expect, it } from 'vitest';
import { descriptorOf } from './testing-descriptors.ts';
import { asking, EnvoyWorld, entriesOf } from './testing-should-limit.ts';

const rate = (requestsPerUnit: number) => ({ rateLimit: { unit: 'MINUTE', requestsPerUnit } });

describe('shadow mode', () => {
  it('counts, stops nothing, and has nothing left where it would have', async () => {
    const world = new EnvoyWorld([descriptorOf('ip', { ...rate(1), shadowMode: true })]);
    expect((await world.ask(asking('ip=1'))).statuses).toMatchObject([{ over: false, remaining: 0 }]);
    for (const hits of [0, 1, 2]) {
      expect(await world.ask(asking('ip=1', { hits }))).toMatchObject({
        over: false,
        statuses: [{ over: false, remaining: 0, shadowOver: true, currentLimit: { requestsPerUnit: 1 } }],
      });
    }
  });

  it('counts though the request is over', async () => {
    const world = new EnvoyWorld([
      descriptorOf('ip', { ...rate(5), shadowMode: true }),
      descriptorOf('path', rate(0)),
    ]);
    expect(await world.ask(asking('ip=1'), asking('path=/'))).toMatchObject({ over: true });
    expect(await world.left('ip=1')).toEqual([4]);
  });
});

describe('quota mode', () => {
  const quota = (key: string, requestsPerUnit: number) =>
    descriptorOf(key, { ...rate(requestsPerUnit), quotaMode: true });

  it('stops a request only where all quotas are used up', async () => {
    const world = new EnvoyWorld([quota('a', 1), quota('b', 2)]);
    const over = [];
    for (let times = 0; times < 3; times += 1) {
      const answer = await world.ask(asking('a=1'), asking('b=1'));
      over.push([answer.over, ...answer.statuses.map((status) => status.over)]);
    }
    expect(over).toEqual([
      [false, false, false],
      [false, true, false],
      [true, true, true],
    ]);
  });

  it('has one quota for each backend and model, over where one of its descriptors is', async () => {
    const backend = (name: string, requests: number, tokens: number) =>
      descriptorOf('backend_name', {
        value: name,
        descriptors: [
          descriptorOf('kind', { value: 'requests', ...rate(requests), quotaMode: true }),
          descriptorOf('kind', { value: 'tokens', ...rate(tokens), quotaMode: true }),
        ],
      });
    const world = new EnvoyWorld([backend('a', 1, 100), backend('b', 100, 3)]);
    const of = (name: string, kind: string) =>
      asking('', { entries: entriesOf(`backend_name=${name}`, `kind=${kind}`) });
    const all = [of('a', 'requests'), of('a', 'tokens'), of('b', 'requests'), of('b', 'tokens')];
    const overs = [];
    for (let times = 0; times < 4; times += 1) overs.push((await world.ask(...all)).over);
    expect(overs).toEqual([false, false, false, true]);
  });

  it('knows a backend and its model in any order of the entries', async () => {
    const [backend, model] = ['backend_name', 'model_name_override'];
    const world = new EnvoyWorld([
      descriptorOf(backend, { descriptors: [quota(model, 1)] }),
      descriptorOf(model, { descriptors: [quota(backend, 9)] }),
    ]);
    const pairs = [`${backend}=a`, `${model}=m`] as const;
    const all = [pairs, pairs.toReversed()].map((each) => asking('', { entries: entriesOf(...each) }));
    expect((await world.ask(...all)).over).toBe(false);
    expect((await world.ask(...all)).over).toBe(true);
  });

  it('does not count a limit without an end as a quota, and one in shadow mode as one that is never used up', async () => {
    const world = new EnvoyWorld([
      quota('a', 0),
      descriptorOf('endless', { rateLimit: { unlimited: true }, quotaMode: true }),
      descriptorOf('trial', { ...rate(0), quotaMode: true, shadowMode: true }),
    ]);
    expect((await world.ask(asking('a=1'), asking('endless=1'))).over).toBe(true);
    expect((await world.ask(asking('a=1'), asking('trial=1'))).over).toBe(false);
  });

  it('does not let a request pass that an enforced limit stops', async () => {
    const world = new EnvoyWorld([quota('a', 5), descriptorOf('ip', rate(0))]);
    expect((await world.ask(asking('a=1'), asking('ip=1'))).over).toBe(true);
    expect(await world.left('a=1')).toEqual([4]);
  });

  it('takes what is left where the hits are more', async () => {
    const world = new EnvoyWorld([quota('a', 10)]);
    expect(await world.ask(asking('a=1', { hits: 40 }))).toMatchObject({
      over: true,
      statuses: [{ remaining: 0 }],
    });
  });
});
