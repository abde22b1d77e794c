import { setTimeout as sleep } from 'node:timers/promises';
import type { RunningGrpcServer } from './grpc-server.ts';
import type { Health } from './health.ts';
import type { RunningHttpServer } from './http-server.ts';
import { ListenFailure } from './listen-failure.ts';
import type { Logger } from './logger.ts';
import { loggedError } from './logger-error.ts';
import type { Pipeline } from './pipeline.ts';
import { InvalidSettings } from './settings.ts';

/** How long the last answers may take to leave the process, in milliseconds. */
const FLUSH_MS = 500;

/** How long after its end a service's process may still have something open. */
const EXIT_GRACE_MS = 2000;

/** The parts of a running service that a shutdown has to take down in order. */
export interface Serving {
  readonly health: Health;
  readonly pipeline: Pipeline;
  readonly servers: readonly (RunningGrpcServer | RunningHttpServer)[];
  readonly shutdownDelayMs: number;
  readonly shutdownTimeoutMs: number;
  readonly logger: Logger;
}

/**
 * Stops serving: says NOT_SERVING, waits for load balancers to notice, takes no new calls, lets the calls in flight
 * finish within the time-out, cuts off the rest.
 */
export async function stopServing(serving: Serving): Promise<void> {
  const { health, pipeline, servers, logger } = serving;
  health.stopServing();
  await sleep(serving.shutdownDelayMs);
  pipeline.endStreams();
  const closed = Promise.all([...servers.map((server) => server.drain()), pipeline.idle()]);
  // Connections on which nobody is calling need not be waited for, once the last answers are on their way.
  const quiet = pipeline.idle().then(async () => await sleep(FLUSH_MS, undefined, { ref: false }));
  await Promise.race([closed, quiet, sleep(serving.shutdownTimeoutMs, undefined, { ref: false })]);
  if (pipeline.inFlight > 0) {
    const facts = { calls: pipeline.inFlight, timeout_ms: serving.shutdownTimeoutMs };
    logger.warn(facts, 'calls in flight were cut off');
  }
  for (const server of servers) server[Symbol.dispose]();
}

/** A service that has started; disposing it shuts it down in order. */
export interface StartedService extends AsyncDisposable {
  readonly logger: Logger;
}

/**
 * Runs a service until SIGTERM or SIGINT, then shuts it down; a second signal ends the process at once with code 1.
 * Settings that can't be used and ports that are taken end the start with one line on standard error and code 1.
 */
export async function runService(start: () => Promise<StartedService>): Promise<void> {
  let service: StartedService;
  try {
    service = await start();
  } catch (error) {
    if (error instanceof InvalidSettings) {
      for (const problem of error.problems) process.stderr.write(`${problem}\n`);
    } else if (error instanceof ListenFailure) {
      process.stderr.write(`${error.message}\n`);
    } else {
      // Not as Node would print it: with all that hangs on it.
      process.stderr.write(`${JSON.stringify(loggedError(error))}\n`);
    }
    process.exitCode = 1;
    return;
  }
  endByLog(service.logger);
  const signal = await firstSignal();
  service.logger.info({ signal }, 'shutting down');
  await service[Symbol.asyncDispose]();
  service.logger.info('stopped');
  // Nothing should be left that keeps the process alive; this makes sure that nothing does.
  setTimeout(() => process.exit(0), EXIT_GRACE_MS).unref();
}

/** What nobody caught ends the process, as ever, but is told by the log's rules: Node prints all that hangs on an error. */
function endByLog(logger: Logger): void {
  process.on('uncaughtException', (error, origin) => {
    logger.fatal({ err: error, origin }, 'unexpected end');
    process.exit(1);
  });
}

async function firstSignal(): Promise<NodeJS.Signals> {
  return await new Promise((resolve) => {
    let signals = 0;
    const onSignal = (signal: NodeJS.Signals) => {
      signals += 1;
      // The second one means now: whoever sends it no longer wants to wait for the drain.
      if (signals > 1) process.exit(1);
      resolve(signal);
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
}
