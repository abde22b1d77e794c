import { describe, expect, it } from 'vitest';
import { defineLimit, type LimitDefinition } from './limit.ts';

const MINUTE: LimitDefinition = { limit: 5, windowMicros: 60_000_000 };
const DAY_MICROS = 86_400_000_000;

function faults(change: object): string[] {
  const fields: string[] = [];
  defineLimit({ ...MINUTE, ...change }, (field) => fields.push(field));
  return fields;
}

function define(change: Partial<LimitDefinition> = {}) {
  return defineLimit({ ...MINUTE, ...change }, (field, description) => {
    throw new Error(`${field} ${description}`);
  });
}

describe('defineLimit', () => {
  it('fills in a sliding window log that is enforced, and admits all of it at once', () => {
    expect(define()).toEqual({
      name: '',
      algorithm: 'SLIDING_WINDOW_LOG',
      limit: 5,
      windowMicros: 60_000_000,
      burst: 5,
      shadow: false,
      keySuffix: '',
    });
  });

  it.each<[string, Partial<LimitDefinition>]>([
    ['', {}],
    [':hourly', { name: 'hourly' }],
    ['~c', { algorithm: 'SLIDING_WINDOW_COUNTER' }],
    ['~b', { algorithm: 'TOKEN_BUCKET' }],
    ['~f', { algorithm: 'FIXED_WINDOW' }],
    ['~l', { algorithm: 'CONCURRENCY' }],
    ['!', { shadow: true }],
    [':hourly~b!', { name: 'hourly', algorithm: 'TOKEN_BUCKET', shadow: true }],
  ])('counts under a key of its own, with the suffix "%s": %j', (suffix, change) => {
    expect(define(change).keySuffix).toBe(suffix);
  });

  it('counts under the same key whatever its size, window and burst', () => {
    const edited = define({ algorithm: 'TOKEN_BUCKET', limit: 7, windowMicros: 1_000, burst: 2 });
    expect(edited.keySuffix).toBe(define({ algorithm: 'TOKEN_BUCKET' }).keySuffix);
  });

  it.each([
    { windowMicros: 1_000 },
    { windowMicros: 400 * DAY_MICROS },
    { limit: 100_000 },
    { limit: 1_000_000_000, algorithm: 'SLIDING_WINDOW_COUNTER' },
    { limit: 1_000_000_000, algorithm: 'TOKEN_BUCKET' },
    { limit: 1_000_000_000, algorithm: 'FIXED_WINDOW' },
    { limit: 1_000_000_000, algorithm: 'CONCURRENCY' },
    { name: 'a'.repeat(32) },
    { burst: 5 },
    { burst: 1_000_000_000, limit: 1_000_000_000, algorithm: 'TOKEN_BUCKET' },
  ])('takes %j', (change) => {
    expect(faults(change)).toEqual([]);
  });

  it.each([
    ['name', { name: 'a'.repeat(33) }],
    ['name', { name: 'a:b' }],
    ['algorithm', { algorithm: 'GUESS' }],
    ['limit', { limit: 0 }],
    ['limit', { limit: 1.5 }],
    ['limit', { limit: '5' }],
    ['limit', { limit: Number.NaN }],
    ['limit', { limit: 100_001 }],
    ['limit', { limit: 1_000_000_001, algorithm: 'TOKEN_BUCKET' }],
    ['window', { windowMicros: 999 }],
    ['window', { windowMicros: 1_000.5 }],
    ['window', { windowMicros: 400 * DAY_MICROS + 1 }],
    ['window', { windowMicros: Number.NaN }],
    ['burst', { burst: 6 }],
    ['burst', { burst: 0, algorithm: 'TOKEN_BUCKET' }],
    ['burst', { burst: 1_000_000_001, limit: 1_000_000_000, algorithm: 'TOKEN_BUCKET' }],
    ['burst', { burst: 11, limit: 5, windowMicros: 200 * DAY_MICROS, algorithm: 'TOKEN_BUCKET' }],
  ])('refuses a bad %s: %j', (field, change) => {
    expect(faults(change)).toEqual([field]);
  });

  it('names every field that is wrong', () => {
    expect(faults({ name: '*', limit: 0, windowMicros: 0 })).toEqual(['name', 'limit', 'window']);
  });
});
