import { describe, expect, it } from 'vitest';
import { defineLimit, type LimitDefinition } from './limit.ts';
import { LocalShare } from './local-share.ts';

const SECOND = 1_000_000;

function limitOf(definition: Partial<LimitDefinition> & { readonly limit: number }) {
  return defineLimit({ windowMicros: SECOND, ...definition }, (field, description) => {
    throw new Error(`${field} ${description}`);
  });
}

describe('LocalShare', () => {
  it('is the limit itself for a process that is alone', () => {
    const limit = limitOf({ limit: 10 });
    expect(new LocalShare(() => 1).of(limit)).toBe(limit);
  });

  it('is an equal part, which together never is more than the limit', () => {
    const limit = limitOf({ limit: 10 });
    expect(new LocalShare(() => 3).of(limit)).toEqual({ ...limit, limit: 3, burst: 3 });
  });

  it('is at least one unit', () => {
    expect(new LocalShare(() => 20).of(limitOf({ limit: 10 })).limit).toBe(1);
  });

  it('divides a bucket’s refill and its size, and leaves the window', () => {
    const limit = limitOf({ algorithm: 'TOKEN_BUCKET', limit: 10, burst: 50 });
    const share = new LocalShare(() => 4).of(limit);
    expect(share).toMatchObject({ limit: 2, burst: 12, windowMicros: SECOND, keySuffix: limit.keySuffix });
  });

  it('is one object until the number of processes changes', () => {
    let processes = 2;
    const shares = new LocalShare(() => processes);
    const limit = limitOf({ limit: 12 });
    const half = shares.of(limit);
    expect(shares.of(limit)).toBe(half);
    processes = 3;
    expect(shares.of(limit).limit).toBe(4);
    processes = 2;
    expect(shares.of(limit)).toEqual(half);
  });
});
