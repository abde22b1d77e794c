import { create, type DescMessage, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  BatchCheckLimitsRequestSchema,
  CheckLimitRequestSchema,
} from '../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { EchoRequestSchema } from '../gen/optix/testing/v1/echo_service_pb.ts';
import type { LoadPlan } from './load-plan.ts';
import type { Percentiles } from './percentiles.ts';

/** A server that is measured. */
export interface Server {
  readonly pid: number;
  /** `host:port` of its gRPC port. */
  readonly address: string;
}

/** One way to ask one server. */
export interface Subject {
  readonly name: string;
  readonly server: Server;
  readonly path: string;
  readonly stream: LoadPlan['stream'];
  /** Requests of a round, as {@link LoadPlan.bodies}. */
  readonly bodies: (round: number) => readonly string[];
  readonly checksPerCall: number;
  /** What was measured, a value for each round. */
  readonly figures: {
    readonly rates: number[];
    readonly serverMicros: number[];
    readonly redisMicros: number[];
    readonly scripts: number[];
    readonly latencies: Percentiles[];
  };
}

/** Name of the floor. */
export const ECHO = 'grpc-js echo';

const SERVICE = '/optix.ratelimit.v1.RateLimitService';
const CALLERS = 20_000;
const BATCH = 100;

/** The floor first, then every way to have a check decided. */
export function subjects(servers: {
  readonly echo: Server;
  readonly limiter: Server;
  /** A limiter whose Redis is away. */
  readonly cutOff: Server;
}): readonly Subject[] {
  const { echo, limiter, cutOff } = servers;
  const echoBodies = [encoded(EchoRequestSchema, { text: 'api_default user:100000' })];
  // So many callers that most checks are allowed, which is the dearer answer, and some are denied in the end.
  const checks = Array.from({ length: CALLERS }, (_, index) => ({
    endpoint: 'api_default',
    identifier: `user:${100_000 + index}`,
  }));
  const checkBodies = checks.map((check) => encoded(CheckLimitRequestSchema, check));
  const batchBodies = Array.from({ length: CALLERS / BATCH }, (_, index) =>
    encoded(BatchCheckLimitsRequestSchema, { checks: checks.slice(index * BATCH, (index + 1) * BATCH) }),
  );
  // Denied after a few calls of the warm-up, and for a minute from then on; so each round has its own.
  const deniedBodies = (round: number) =>
    Array.from({ length: 100 }, (_, index) =>
      encoded(CheckLimitRequestSchema, { endpoint: 'auth_register', identifier: `user:${round}-${index}` }),
    );
  const check = { path: `${SERVICE}/CheckLimit`, bodies: () => checkBodies };
  const stream = { path: `${SERVICE}/StreamCheckLimits`, bodies: () => checkBodies };
  const batch = { path: `${SERVICE}/BatchCheckLimits`, bodies: () => batchBodies, checksPerCall: BATCH };
  return [
    subject(ECHO, echo, { path: '/optix.testing.v1.EchoService/Echo', bodies: () => echoBodies }),
    subject('CheckLimit on Redis', limiter, check),
    subject('CheckLimit, cached denial', limiter, { ...check, bodies: deniedBodies }),
    subject('StreamCheckLimits, one a message', limiter, { ...stream, stream: 'each' }),
    subject('StreamCheckLimits, gathered', limiter, { ...stream, stream: 'gathered' }),
    subject('BatchCheckLimits of 100', limiter, batch),
    subject('CheckLimit, Redis away', cutOff, check),
  ];
}

function subject(
  name: string,
  server: Server,
  asked: Pick<Subject, 'path' | 'bodies'> & Partial<Pick<Subject, 'stream' | 'checksPerCall'>>,
): Subject {
  const figures = { rates: [], serverMicros: [], redisMicros: [], scripts: [], latencies: [] };
  return { stream: undefined, checksPerCall: 1, ...asked, name, server, figures };
}

function encoded<D extends DescMessage>(schema: D, message: MessageInitShape<D>): string {
  return Buffer.from(toBinary(schema, create(schema, message))).toString('base64');
}
