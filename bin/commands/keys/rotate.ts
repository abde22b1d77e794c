import { randomUUID } from 'node:crypto';
import { SigningKeyService } from '../../../gen/optix/identity/v1/signing_key_service_pb.ts';
import { EXIT } from '../../output/exit-code.ts';
import { readArguments } from '../../output/read-arguments.ts';
import { CONNECTION_FLAGS, callService } from '../call-service.ts';
import { IDENTITY_ADDRESS, IDENTITY_FLAGS_HELP } from '../identity-address.ts';
import { printKeys } from './print-keys.ts';

const HELP = `Usage: optix keys rotate [options]

Makes the next key the current one, and a new one the next. Tokens that were signed before stay good.

  --force               also where verifiers may not know the next key yet
  --actor A             for the audit log
${IDENTITY_FLAGS_HELP}

  optix keys rotate --actor ops`;

/** `optix keys rotate`: makes the next key the current one. */
export async function rotateKeys(args: string[]): Promise<number> {
  const options = { ...CONNECTION_FLAGS, force: { type: 'boolean' }, actor: { type: 'string' } } as const;
  const read = readArguments({ name: 'keys rotate', help: HELP, options }, args);
  if (read === undefined) return EXIT.DONE;
  const { values: flags } = read;
  const request = { force: flags.force ?? false, actor: flags.actor ?? '', requestId: randomUUID() };
  const { keys } = await callService(SigningKeyService, IDENTITY_ADDRESS, flags, (client) =>
    client.rotateSigningKeys(request),
  );
  printKeys(keys, flags.json);
  return EXIT.DONE;
}
