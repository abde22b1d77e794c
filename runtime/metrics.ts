import { Registry } from 'prom-client';
import type { TextRoute } from './http-mount.ts';

/** The metrics of a process. */
export class Metrics {
  /** What is to be told is registered here. */
  readonly registry = new Registry();
  /** Tells it, in the text format of Prometheus (version 0.0.4). */
  readonly route: TextRoute = {
    contentType: this.registry.contentType,
    text: async () => await this.registry.metrics(),
  };
}
