import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { CheckWindow } from './check-window.ts';

const ago = (ms: number) => performance.now() - ms;

describe('the window of checks under way', () => {
  it('is as wide as a stream takes while answers come in time', () => {
    const window = new CheckWindow(100);
    window.answered(500, ago(50), 5_000);
    expect([window.size, window.narrowed]).toEqual([10_000, false]);
  });

  it('is half of what was under way once answers are late, and grows again by those in time', () => {
    const window = new CheckWindow(100);
    window.answered(10, ago(200), 3_000);
    expect([window.size, window.narrowed]).toEqual([1_500, true]);
    window.answered(1_000, ago(50), 1_500);
    expect(window.size).toBe(1_600);
    window.answered(1_000_000, ago(50), 1_600);
    expect([window.size, window.narrowed]).toEqual([10_000, false]);
  });

  it('is narrowed once a round trip: not by answers to what was sent before', async () => {
    const window = new CheckWindow(20);
    const sentAt = ago(30);
    window.answered(10, sentAt, 4_000);
    window.answered(10, sentAt, 3_990);
    expect(window.size).toBe(2_000);
    const next = performance.now();
    await sleep(40);
    window.answered(10, next, 2_000);
    expect(window.size).toBe(1_000);
  });

  it('never closes', async () => {
    const window = new CheckWindow(0);
    for (let turn = 0; turn < 10; turn += 1) {
      const sentAt = performance.now();
      await sleep(2);
      window.answered(1, sentAt, 1);
    }
    expect(window.size).toBe(100);
  });
});
