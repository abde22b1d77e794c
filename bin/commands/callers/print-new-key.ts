import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import type { CallerKey } from '../../../gen/optix/callers/v1/caller_service_pb.ts';
import { messageJson, printJson } from '../../output/message-json.ts';
import { keyTable } from './key-table.ts';

/** The key alone on standard output, for scripts, and what is known of it on standard error; or all of it as JSON. */
export function printNewKey<D extends DescMessage>(
  schema: D,
  answer: MessageShape<D> & { readonly callerKey?: CallerKey | undefined; readonly key: string },
  json: boolean | undefined,
): void {
  if (json) {
    printJson(messageJson(schema, answer));
    return;
  }
  if (answer.callerKey !== undefined) console.error(keyTable([answer.callerKey]));
  console.error('This is the key. Nobody can tell it again:');
  console.log(answer.key);
}
