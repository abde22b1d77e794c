import { create } from '@bufbuild/protobuf';
import {
  ListSigningKeysResponseSchema,
  type SigningKey,
  SigningKeyStateSchema,
} from '../../../gen/optix/identity/v1/signing_key_service_pb.ts';
import { enumName } from '../../output/enum-name.ts';
import { messageJson, printJson } from '../../output/message-json.ts';
import { tableText } from '../../output/table.ts';
import { timeText } from '../../output/time-text.ts';

const TITLES = ['kid', 'algorithm', 'state', 'made', 'signs since', 'retired'] as const;

/** Keys for people, or for scripts as ListSigningKeys answers. */
export function printKeys(keys: SigningKey[], json: boolean | undefined): void {
  if (json) {
    printJson(messageJson(ListSigningKeysResponseSchema, create(ListSigningKeysResponseSchema, { keys })));
    return;
  }
  const rows = keys.map((key) => [
    key.kid,
    key.algorithm,
    enumName(SigningKeyStateSchema, key.state).toLowerCase(),
    timeText(key.createTime),
    timeText(key.activateTime),
    timeText(key.retireTime),
  ]);
  console.log(tableText(TITLES, rows));
}
