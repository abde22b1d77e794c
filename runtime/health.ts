import { HealthImplementation } from 'grpc-health-check';
import type { StoreMonitor } from './store-monitor.ts';

/** Name of what is SERVING as long as anything answers at all, for liveness probes: no store comes back by a restart. */
export const PROCESS = 'process';

/** A word of grpc.health.v1. */
export type ServingStatus = 'SERVING' | 'NOT_SERVING';

/** An answer of the HTTP health endpoints. */
export interface HealthReport {
  readonly ok: boolean;
  readonly body: Readonly<Record<string, unknown>>;
}

/** An RPC service and the components it can't answer without. */
export interface ServiceHealth {
  /** Full name, for example `optix.identity.v1.IdentityService`. */
  readonly name: string;
  /** Whether it can answer at this moment; undefined where it needs no store. */
  readonly ready?: () => boolean;
}

/**
 * What is known of the health of the whole, of each RPC service and of each component (store), told the same over
 * grpc.health.v1 and HTTP.
 *
 * The whole (`""`) is SERVING while every configured component is up. A service is SERVING while it can answer: one
 * that lives through the loss of a store stays SERVING, so that probes by its name don't take it out of service.
 */
export class Health {
  readonly grpc = new HealthImplementation();
  readonly #components: readonly StoreMonitor[];
  readonly #services: readonly ServiceHealth[];
  readonly #startedAt = Date.now();
  readonly #told = new Map<string, boolean>();
  #serving = true;

  constructor(services: readonly ServiceHealth[], components: readonly StoreMonitor[]) {
    this.#services = services;
    this.#components = components;
    for (const component of components) component.onChange(() => this.#publish());
    this.#publish();
    this.grpc.setStatus(PROCESS, 'SERVING');
  }

  /** Says NOT_SERVING for everything from now on: the first step of a shutdown. */
  stopServing(): void {
    this.#serving = false;
    this.#publish();
  }

  /** GET /health */
  overall(): HealthReport {
    const ok = this.#whole();
    const components = Object.fromEntries(
      this.#components.map((component) => [component.name, this.component(component.name).body]),
    );
    const services = Object.fromEntries(
      this.#services.map((service) => [service.name, word(this.#service(service))]),
    );
    const uptimeSeconds = Math.round((Date.now() - this.#startedAt) / 1000);
    return { ok, body: { status: word(ok), uptime_seconds: uptimeSeconds, services, components } };
  }

  /** GET /health/database and /health/redis. A component that isn't configured is no fault. */
  component(name: string): HealthReport {
    const component = this.#components.find((candidate) => candidate.name === name);
    if (component === undefined) return { ok: true, body: { status: 'NOT_CONFIGURED' } };
    const { up, latencyMs, shownError } = component.status;
    const ok = up && this.#serving;
    const latency = latencyMs === undefined ? null : Math.round(latencyMs * 1000) / 1000;
    return {
      ok,
      body: {
        status: word(ok),
        latency_ms: latency,
        ...(shownError === undefined ? {} : { error: shownError }),
        ...component.facts(),
      },
    };
  }

  #whole(): boolean {
    return this.#serving && this.#components.every((component) => component.status.up);
  }

  #service(service: ServiceHealth): boolean {
    return this.#serving && (service.ready?.() ?? true);
  }

  #publish(): void {
    this.#tell('', this.#whole());
    for (const service of this.#services) this.#tell(service.name, this.#service(service));
    for (const component of this.#components) {
      this.#tell(component.name, this.#serving && component.status.up);
    }
  }

  /** Watchers are told of changes only. */
  #tell(name: string, ok: boolean): void {
    if (this.#told.get(name) === ok) return;
    this.#told.set(name, ok);
    this.grpc.setStatus(name, word(ok));
  }
}

function word(ok: boolean): ServingStatus {
  return ok ? 'SERVING' : 'NOT_SERVING';
}
