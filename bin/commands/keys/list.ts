import { SigningKeyService } from '../../../gen/optix/identity/v1/signing_key_service_pb.ts';
import { EXIT } from '../../output/exit-code.ts';
import { readArguments } from '../../output/read-arguments.ts';
import { CONNECTION_FLAGS, callService } from '../call-service.ts';
import { IDENTITY_ADDRESS, IDENTITY_FLAGS_HELP } from '../identity-address.ts';
import { printKeys } from './print-keys.ts';

const HELP = `Usage: optix keys list [options]

Shows the signing keys in use: the next, the current, and retired ones that still verify.

${IDENTITY_FLAGS_HELP}

  optix keys list`;

/** `optix keys list`: the signing keys in use. */
export async function listKeys(args: string[]): Promise<number> {
  const read = readArguments({ name: 'keys list', help: HELP, options: CONNECTION_FLAGS }, args);
  if (read === undefined) return EXIT.DONE;
  const { keys } = await callService(SigningKeyService, IDENTITY_ADDRESS, read.values, (client) =>
    client.listSigningKeys({}),
  );
  printKeys(keys, read.values.json);
  return EXIT.DONE;
}
