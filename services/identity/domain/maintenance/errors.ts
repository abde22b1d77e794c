/** There is no such task. */
export class MaintenanceTaskNotFound extends Error {
  constructor() {
    super('there is no such maintenance task');
    this.name = 'MaintenanceTaskNotFound';
  }
}

/** A month of the audit log can't be dropped as things are. Nothing was dropped. */
export class RetentionRefused extends Error {
  constructor() {
    super('events of that age wait for their seal, or were sealed behind events from days later');
    this.name = 'RetentionRefused';
  }
}
