import { connect, type SecureClientSessionOptions } from 'node:http2';
import { fromBinary } from '@bufbuild/protobuf';
import {
  HealthCheckResponse_ServingStatusSchema,
  HealthCheckResponseSchema,
} from '../../../gen/grpc/health/v1/health_pb.ts';
import { enumName } from '../../output/enum-name.ts';

/** A gRPC message is preceded by a flag and its length; an empty HealthCheckRequest is no more than that. */
const PREFIX_BYTES = 5;

/**
 * Asks a gRPC port for the health of the whole by grpc.health.v1. By node:http2, because grpc-js can't be told to look at
 * a port whose certificate is for another name than this address.
 *
 * @param url `http://` for cleartext, `https://` for TLS
 * @returns `SERVING`, `NOT_SERVING` or what else the port says
 * @throws Error where there is no answer
 */
export async function grpcHealth(
  url: string,
  tls: SecureClientSessionOptions,
  timeoutMs: number,
): Promise<string> {
  const session = connect(url, tls);
  const answered = Promise.withResolvers<string>();
  const timer = setTimeout(() => answered.reject(new Error('it does not answer in time')), timeoutMs);
  session.on('error', answered.reject);
  const stream = session.request({
    ':method': 'POST',
    ':path': '/grpc.health.v1.Health/Check',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  const chunks: Buffer[] = [];
  // Without a connection the stream's own error only says that there is none; its cause says why.
  stream.on('error', (error: Error) => answered.reject(error.cause ?? error));
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.on('end', () => {
    const body = Buffer.concat(chunks).subarray(PREFIX_BYTES);
    if (body.length === 0) answered.reject(new Error('what answers there is no gRPC service of ours'));
    else
      answered.resolve(
        enumName(HealthCheckResponse_ServingStatusSchema, fromBinary(HealthCheckResponseSchema, body).status),
      );
  });
  stream.end(Buffer.alloc(PREFIX_BYTES));
  try {
    return await answered.promise;
  } finally {
    clearTimeout(timer);
    session.destroy();
  }
}
