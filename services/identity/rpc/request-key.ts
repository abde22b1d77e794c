import { createHmac, hkdfSync } from 'node:crypto';
import { clone, type DescMessage, type MessageShape, toBinary } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import { callerOf } from '../../../runtime/call-context.ts';
import { InvalidRequest } from '../../../runtime/errors.ts';
import { methodName } from '../../../runtime/service-table.ts';
import type { RequestKey } from '../domain/idempotency.ts';

const REQUEST_ID = /^[\x20-\x7e]{1,128}$/;

/** What requests are told apart with. */
export interface RequestKeys {
  /** 32 bytes, the same on every replica: {@link requestKeysFrom}. */
  readonly macKey: Uint8Array;
}

/** Derives the key (RFC 5869) from the encryption key. Once that one changes, ids in use are taken for reused. */
export function requestKeysFrom(encryptionKey: Uint8Array): RequestKeys {
  return { macKey: new Uint8Array(hkdfSync('sha256', encryptionKey, '', 'optix.request-key.v1', 32)) };
}

/**
 * The key of a request that brought a `request_id`; null where it brought none.
 *
 * @throws InvalidRequest where the id is not of 1 to 128 printable ASCII characters
 */
export function requestKeyOf<D extends DescMessage>(
  { requestKeys: { macKey } }: { readonly requestKeys: RequestKeys },
  context: HandlerContext,
  schema: D,
  request: MessageShape<D> & { readonly requestId: string },
): RequestKey | null {
  const { requestId } = request;
  if (requestId === '') return null;
  if (!REQUEST_ID.test(requestId)) {
    const description = 'must have 1 to 128 printable ASCII characters';
    throw new InvalidRequest([{ field: 'request_id', description }]);
  }
  const rest = Object.assign(clone(schema, request), { requestId: '' });
  return {
    caller: callerOf(context)?.name ?? '',
    rpc: methodName(context.method),
    requestId,
    mac: createHmac('sha256', macKey).update(toBinary(schema, rest)).digest(),
  };
}
