import { randomUUID } from 'node:crypto';
import { SigningKeyService } from '../../../gen/optix/identity/v1/signing_key_service_pb.ts';
import { EXIT } from '../../output/exit-code.ts';
import { readArguments } from '../../output/read-arguments.ts';
import { CONNECTION_FLAGS, callService } from '../call-service.ts';
import { IDENTITY_ADDRESS, IDENTITY_FLAGS_HELP } from '../identity-address.ts';
import { printKeys } from './print-keys.ts';

const HELP = `Usage: optix keys revoke <kid> [options]

Gives a key up that may be in wrong hands: every token it signed is refused from then on.

  --actor A, --reason R for the audit log
${IDENTITY_FLAGS_HELP}

  optix keys revoke bDRj5hQe5Qx0Zk1s9s7y2F0mXW9l5b0oXkQm6Yc3n4E --actor ops --reason "leaked"`;

const TEXT = { type: 'string' } as const;

/** `optix keys revoke`: gives a signing key up at once. */
export async function revokeKey(args: string[]): Promise<number> {
  const options = { ...CONNECTION_FLAGS, actor: TEXT, reason: TEXT } as const;
  const read = readArguments({ name: 'keys revoke', help: HELP, options, positionals: ['kid'] }, args);
  if (read === undefined) return EXIT.DONE;
  const {
    values: flags,
    positionals: [kid = ''],
  } = read;
  const { actor = '', reason = '' } = flags;
  const { keys } = await callService(SigningKeyService, IDENTITY_ADDRESS, flags, (client) =>
    client.revokeSigningKey({ kid, actor, reason, requestId: randomUUID() }),
  );
  printKeys(keys, flags.json);
  return EXIT.DONE;
}
