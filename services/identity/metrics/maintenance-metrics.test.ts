import { expect, test } from 'vitest';
import { Metrics } from '../../../runtime/metrics/metrics.ts';
import type { MaintenanceStatus, TaskStatus } from '../domain/maintenance/get-maintenance-status.ts';
import { MaintenanceMetrics } from './maintenance-metrics.ts';

const status = (name: string, state: Partial<TaskStatus['state'] & object> | null): TaskStatus => ({
  task: { name, description: '', intervalMs: 1000, run: async () => ({ count: 0, hasMore: false }) },
  state: state as TaskStatus['state'],
});
const STATUS: MaintenanceStatus = {
  tasks: [
    status('analyze', null),
    status('retention', { lagMs: 1500, lastSucceededAt: new Date('2026-11-22T12:00:00Z') }),
  ],
  runner: 'a',
  unsealedEvents: 7,
  sealingLagMs: 250,
};
const tasks = ['analyze', 'retention'];

test('tell how far maintenance and seals are behind, by one look', async () => {
  const metrics = new Metrics();
  let reads = 0;
  const told = new MaintenanceMetrics({
    metrics,
    tasks,
    readStatus: async () => {
      reads += 1;
      return STATUS;
    },
    onError: (error) => expect.fail(String(error)),
  });
  told.failed('retention');
  told.failed('retention');
  const lines = (await metrics.registry.metrics()).split('\n').filter((line) => /^optix_(a|m)/.test(line));
  expect(lines).toEqual([
    'optix_audit_unsealed_events 7',
    'optix_audit_sealing_lag_seconds 0.25',
    'optix_maintenance_task_lag_seconds{task="analyze"} 0',
    'optix_maintenance_task_lag_seconds{task="retention"} 1.5',
    'optix_maintenance_task_last_success_timestamp_seconds{task="retention"} 1795348800',
    'optix_maintenance_task_failures_total{task="analyze"} 0',
    'optix_maintenance_task_failures_total{task="retention"} 2',
  ]);
  expect(reads).toBe(1);
});

test('while the database is away the gauges are left out, and failures are told', async () => {
  const metrics = new Metrics();
  new MaintenanceMetrics({
    metrics,
    tasks,
    readStatus: async () => {
      throw new Error('away');
    },
    onError: () => undefined,
  });
  const lines = (await metrics.registry.metrics()).split('\n').filter((line) => /^optix_(a|m)/.test(line));
  expect(lines).toEqual([
    'optix_maintenance_task_failures_total{task="analyze"} 0',
    'optix_maintenance_task_failures_total{task="retention"} 0',
  ]);
});
