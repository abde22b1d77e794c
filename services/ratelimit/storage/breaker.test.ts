import { describe, expect, it } from 'vitest';
import { Breaker } from './breaker.ts';

/** A breaker over a store that answers as the test says, and what happened in order. */
function breakerOver(store: { ping?: () => unknown; prepare?: () => unknown; recover?: () => unknown } = {}) {
  const log: string[] = [];
  const doing = (name: 'ping' | 'prepare' | 'recover') => async () => {
    log.push(name);
    await store[name]?.();
  };
  const breaker: Breaker = new Breaker({
    ping: doing('ping'),
    prepare: doing('prepare'),
    recover: doing('recover'),
    onClosing: (epoch) => log.push(`closing ${epoch} while ${breaker.state}`),
    onChange: (state, reason) => log.push(`${state}: ${reason}`),
  });
  return { breaker, log, store };
}

const fails = (reason: string) => () => {
  throw new Error(reason);
};

describe('Breaker', () => {
  it('starts open, and closes after a write has worked and what was owed is settled', async () => {
    const { breaker, log } = breakerOver();
    expect(breaker.state).toBe('OPEN');
    expect(await breaker.probe()).toBe('CLOSED');
    expect(log).toEqual(['prepare', 'recover', 'closing 1 while OPEN', 'CLOSED: Redis counts']);
  });

  it('opens on the first failure and tells of it once', async () => {
    const { breaker, log } = breakerOver();
    await breaker.probe();
    log.length = 0;
    for (const reason of ['first', 'second', 'third']) breaker.fail(breaker.epoch, reason);
    expect(log).toEqual(['OPEN: first']);
    expect(breaker.reason).toBe('third');
  });

  it('pays no heed to what was sent before it last closed', async () => {
    const { breaker } = breakerOver();
    await breaker.probe();
    const { epoch } = breaker;
    breaker.fail(epoch, 'hung');
    await breaker.probe();
    breaker.fail(epoch, 'hung');
    expect(breaker.state).toBe('CLOSED');
  });

  it('asks for a sign of life while closed, and for a write where there is none', async () => {
    const { breaker, log, store } = breakerOver();
    await breaker.probe();
    log.length = 0;
    await breaker.probe();
    expect(log).toEqual(['ping']);
    store.ping = fails('no pong');
    await breaker.probe();
    expect(log).toEqual(['ping', 'ping', 'prepare']);
    store.prepare = fails('READONLY');
    expect(await breaker.probe()).toBe('OPEN');
    expect(breaker.reason).toBe('READONLY');
  });

  it('stays open where what is owed can’t be settled', async () => {
    const { breaker, log } = breakerOver({ recover: fails('gone again') });
    expect(await breaker.probe()).toBe('OPEN');
    expect(breaker.reason).toBe('gone again');
    expect(log).toEqual(['prepare', 'recover']);
  });

  it('probes once at a time', async () => {
    const { breaker, log } = breakerOver();
    expect(await Promise.all([breaker.probe(), breaker.probe()])).toEqual(['CLOSED', 'CLOSED']);
    expect(log.filter((entry) => entry === 'prepare')).toHaveLength(1);
  });
});
