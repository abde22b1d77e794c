import type { Sealing } from '../audit/sealing-lag.ts';
import type { MaintenanceStore } from './maintenance-store.ts';
import type { MaintenanceTask } from './maintenance-task.ts';

/** What maintenance is looked at and asked for with. */
export interface MaintenanceDeps {
  readonly store: MaintenanceStore;
  readonly tasks: readonly MaintenanceTask[];
  readonly sealing: Sealing;
}
