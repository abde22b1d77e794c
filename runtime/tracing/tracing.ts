import type { RouteHandler } from '../http-route.ts';
import type { Logger } from '../logger.ts';
import type { ServiceTable } from '../service-table.ts';
import type { TracingSettings } from './tracing-settings.ts';

/** Makes spans of calls and sends them to a collector. Disposing it sends what is left. */
export interface Tracing extends AsyncDisposable {
  /** The same table, each of whose calls has a span. Outside of the pipeline, so that its log lines are within. */
  wrap(table: ServiceTable): ServiceTable;
  /** The same route, each of whose requests has a span. @param name for example `GET /forward-auth/nginx` */
  wrapRoute(name: string, route: RouteHandler): RouteHandler;
}

/** Begins to trace. @returns undefined where the settings name no collector. */
export function openTracing(
  _settings: TracingSettings,
  _service: string,
  _logger: Logger,
): Tracing | undefined {
  return undefined;
}
