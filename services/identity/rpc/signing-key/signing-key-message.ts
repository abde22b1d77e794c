import { create } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import {
  type SigningKey as SigningKeyMessage,
  SigningKeySchema,
  SigningKeyState,
} from '../../../../gen/optix/identity/v1/signing_key_service_pb.ts';
import type { SigningKeyFacts, SigningKeyStatus } from '../../domain/signing-key.ts';

const STATES: Readonly<Record<SigningKeyStatus, SigningKeyState>> = {
  next: SigningKeyState.NEXT,
  active: SigningKeyState.CURRENT,
  retired: SigningKeyState.RETIRED,
};

/** A signing key in the contract's form. */
export function signingKeyMessage(key: SigningKeyFacts): SigningKeyMessage {
  const message = create(SigningKeySchema, {
    kid: key.kid,
    algorithm: key.algorithm,
    state: STATES[key.status],
    createTime: timestampFromDate(key.createdAt),
  });
  if (key.activatedAt !== null) message.activateTime = timestampFromDate(key.activatedAt);
  if (key.retiredAt !== null) message.retireTime = timestampFromDate(key.retiredAt);
  return message;
}
