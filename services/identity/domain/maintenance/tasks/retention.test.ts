import { expect, test } from 'vitest';
import type { Partitions } from '../partitions.ts';
import { retentionTask } from './retention.ts';

const NOW = new Date('2026-11-22T12:00:00Z');
const NEVER = new AbortController().signal;

/** Months that are there, and what was asked about them. */
function months(left: Readonly<Record<string, string[]>>) {
  const asked: [string, string][] = [];
  const partitions: Partitions = {
    ensure: async () => [],
    async dropOldest(table, before) {
      asked.push([table, before.toISOString()]);
      const names = left[table];
      if (names === undefined) throw new Error(`${table} is held`);
      return names.splice(0, 1);
    },
  };
  return { asked, partitions };
}

const run = (partitions: Partitions, retention: { auditDays: number; sessionDays: number }) =>
  retentionTask({ partitions, retention, now: () => NOW, dropPauseMs: 0 }).run(NEVER);

test('drops month by month what is older than it is kept', async () => {
  const { asked, partitions } = months({ sessions_history: ['s1'], security_events: ['e1', 'e2'] });
  expect(await run(partitions, { sessionDays: 180, auditDays: 400 })).toEqual({ count: 3, hasMore: false });
  const [sessions, events] = ['2026-05-26T12:00:00.000Z', '2025-10-18T12:00:00.000Z'];
  expect(asked).toEqual([
    ['sessions_history', sessions],
    ['sessions_history', sessions],
    ['security_events', events],
    ['security_events', events],
    ['security_events', events],
  ]);
});

test('0 days: nothing is dropped', async () => {
  const { asked, partitions } = months({ sessions_history: ['s1'], security_events: ['e1'] });
  expect(await run(partitions, { sessionDays: 0, auditDays: 0 })).toEqual({ count: 0, hasMore: false });
  expect(asked).toEqual([]);
});

test('what keeps one table from its turn keeps not the other, and is told', async () => {
  const left = { security_events: ['e1'] };
  const { partitions } = months(left);
  await expect(run(partitions, { sessionDays: 180, auditDays: 400 })).rejects.toThrow(
    'sessions_history is held',
  );
  expect(left.security_events).toEqual([]);
});

test('partitions are dropped far apart; batches of the default one follow each other', async () => {
  const at: number[] = [];
  const left = ['e1', 'e2', 'security_events_default', 'security_events_default'];
  const partitions: Partitions = {
    ensure: async () => [],
    async dropOldest() {
      at.push(performance.now());
      return left.splice(0, 1);
    },
  };
  const retention = { sessionDays: 0, auditDays: 400 };
  await retentionTask({ partitions, retention, now: () => NOW, dropPauseMs: 200 }).run(NEVER);
  const gaps = at.slice(1).map((time, index) => time - (at[index] ?? 0));
  expect(gaps.map((gap) => gap >= 199)).toEqual([true, true, false, false]);
});

test('stops between two drops, and says that there is more', async () => {
  const { partitions } = months({ security_events: ['e1', 'e2'] });
  const stop = new AbortController();
  const retention = { sessionDays: 0, auditDays: 400 };
  const running = retentionTask({ partitions, retention, now: () => NOW }).run(stop.signal);
  stop.abort();
  expect(await running).toEqual({ count: 1, hasMore: true });
});
