import { Client, credentials } from '@grpc/grpc-js';

/** Unary calls from this process, without decoding: for rates at which it has little to do. */
export class RawClient implements Disposable {
  readonly #client: Client;

  /** @param address `host:port` */
  constructor(address: string) {
    this.#client = new Client(address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  }

  /**
   * @param path of the method, for example `/optix.identity.v1.IdentityService/GetUser`
   * @param body an encoded request in base64
   * @returns the encoded response.
   * @throws ServiceError
   */
  call(path: string, body: string): Promise<Buffer> {
    const raw = (bytes: Buffer) => bytes;
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        path,
        raw,
        raw,
        Buffer.from(body, 'base64'),
        (error: Error | null, reply?: Buffer) =>
          reply === undefined ? reject(error ?? new Error('no answer')) : resolve(reply),
      );
    });
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}
