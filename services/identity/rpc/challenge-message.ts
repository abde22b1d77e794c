import { create } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import {
  type Challenge,
  ChallengeMethod,
  ChallengeSchema,
} from '../../../gen/optix/identity/v1/authentication_service_pb.ts';
import type { OpenedChallenge } from '../domain/challenges/begin-challenge.ts';
import type { ChallengeMethod as Method } from '../domain/challenges/challenge.ts';

const METHODS: Readonly<Record<Method, ChallengeMethod>> = {
  totp: ChallengeMethod.TOTP,
  passkey: ChallengeMethod.PASSKEY,
  recovery_code: ChallengeMethod.RECOVERY_CODE,
  password: ChallengeMethod.PASSWORD,
};

/** A challenge in the contract's form. */
export function challengeMessage({ token, methods, expiresAt, passkeyOptions }: OpenedChallenge): Challenge {
  return create(ChallengeSchema, {
    token,
    methods: methods.map((method) => METHODS[method]),
    expireTime: timestampFromDate(expiresAt),
    passkeyOptions: passkeyOptions ?? '',
  });
}
