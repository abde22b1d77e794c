import * as http2 from 'node:http2';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { Client, type ClientDuplexStream, credentials, Metadata, type StatusObject } from '@grpc/grpc-js';
import { expect } from 'vitest';
import {
  type StreamCheckLimitsRequest,
  StreamCheckLimitsRequestSchema,
  type StreamCheckLimitsResponse,
  type StreamCheckLimitsResponse_Item,
  StreamCheckLimitsResponseSchema,
} from '../../../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';

const PATH = '/optix.ratelimit.v1.RateLimitService/StreamCheckLimits';

type Items = { id: number; check?: { endpoint: string; identifier: string; cost?: number } }[];

/** A stream whose messages the test sends and reads one by one. */
export class OpenStream implements AsyncDisposable {
  readonly #client: Client;
  readonly call: ClientDuplexStream<Buffer | StreamCheckLimitsRequest, StreamCheckLimitsResponse>;
  readonly messages: StreamCheckLimitsResponse[] = [];
  readonly status: Promise<StatusObject>;

  constructor(address: string) {
    this.#client = new Client(address, credentials.createInsecure());
    this.call = this.#client.makeBidiStreamRequest(
      PATH,
      (message: Buffer | StreamCheckLimitsRequest) =>
        Buffer.isBuffer(message) ? message : Buffer.from(toBinary(StreamCheckLimitsRequestSchema, message)),
      (bytes) => fromBinary(StreamCheckLimitsResponseSchema, bytes),
      new Metadata(),
      {},
    );
    this.call.on('error', () => undefined);
    this.status = new Promise((resolve) => this.call.once('status', resolve));
    this.call.on('data', (message: StreamCheckLimitsResponse) => this.messages.push(message));
  }

  get items(): readonly StreamCheckLimitsResponse_Item[] {
    return this.messages.flatMap(({ items }) => items);
  }

  send(items: Items): boolean {
    return this.call.write(create(StreamCheckLimitsRequestSchema, { items }));
  }

  async answered(count: number): Promise<readonly StreamCheckLimitsResponse_Item[]> {
    await expect.poll(() => this.items.length, { timeout: 5000, interval: 5 }).toBe(count);
    return this.items;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.call.cancel();
    await this.status;
    this.#client.close();
  }
}

/** A caller that sends and does not read. (A client of grpc-js reads on by itself, so this is one of node:http2.) */
export class StuckCaller implements Disposable {
  readonly #session: http2.ClientHttp2Session;
  readonly #stream: http2.ClientHttp2Stream;

  constructor(address: string) {
    this.#session = http2.connect(`http://${address}`);
    this.#stream = this.#session.request(
      { ':method': 'POST', ':path': PATH, 'content-type': 'application/grpc', te: 'trailers' },
      { endStream: false },
    );
    this.#stream.on('error', () => undefined);
    this.#stream.pause();
  }

  /** Sends the message again and again, as fast as it is taken. */
  keepSending(items: Items): void {
    const message = toBinary(
      StreamCheckLimitsRequestSchema,
      create(StreamCheckLimitsRequestSchema, { items }),
    );
    const frame = Buffer.alloc(5 + message.length);
    frame.writeUInt32BE(message.length, 1);
    frame.set(message, 5);
    const send = () => {
      while (!this.#stream.destroyed && this.#stream.write(frame));
    };
    this.#stream.on('drain', send);
    send();
  }

  read(): void {
    this.#stream.resume();
  }

  [Symbol.dispose](): void {
    this.#session.destroy();
  }
}
