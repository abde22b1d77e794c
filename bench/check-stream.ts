import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type Client, type ClientDuplexStream, Metadata } from '@grpc/grpc-js';
import {
  type CheckLimitRequest,
  CheckLimitRequestSchema,
  StreamCheckLimitsRequest_ItemSchema,
  StreamCheckLimitsRequestSchema,
  StreamCheckLimitsResponseSchema,
} from '../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';

/** One StreamCheckLimits call that many callers share. */
export class CheckStream {
  readonly #call: ClientDuplexStream<Buffer, Buffer>;
  readonly #gather: boolean;
  readonly #waiting = new Map<number, (ok: boolean) => void>();
  #gathered: { id: number; check: CheckLimitRequest }[] = [];
  #nextId = 0;

  constructor(client: Client, path: string, gather: boolean) {
    const raw = (bytes: Buffer) => bytes;
    this.#gather = gather;
    this.#call = client.makeBidiStreamRequest(path, raw, raw, new Metadata(), {});
    this.#call.on('data', (bytes: Buffer) => {
      for (const { id, outcome } of fromBinary(StreamCheckLimitsResponseSchema, bytes).items) {
        const done = this.#waiting.get(id);
        this.#waiting.delete(id);
        done?.(outcome.case === 'decision');
      }
    });
    this.#call.on('error', () => this.#failAll());
  }

  /** @param body an encoded CheckLimitRequest */
  ask(body: Buffer, done: (ok: boolean) => void): void {
    const id = this.#nextId++ >>> 0;
    this.#waiting.set(id, done);
    this.#gathered.push({ id, check: fromBinary(CheckLimitRequestSchema, body) });
    if (!this.#gather) this.#send();
    else if (this.#gathered.length === 1) setImmediate(() => this.#send());
  }

  end(): void {
    this.#call.end();
  }

  #send(): void {
    const items = this.#gathered.map((item) => create(StreamCheckLimitsRequest_ItemSchema, item));
    this.#gathered = [];
    this.#call.write(
      Buffer.from(
        toBinary(StreamCheckLimitsRequestSchema, create(StreamCheckLimitsRequestSchema, { items })),
      ),
    );
  }

  #failAll(): void {
    for (const done of this.#waiting.values()) done(false);
    this.#waiting.clear();
  }
}
