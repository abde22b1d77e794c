import {
  ChainFindingKindSchema,
  SecurityEventService,
  type VerifySecurityEventChainResponse,
  VerifySecurityEventChainResponseSchema,
} from '../../../gen/optix/identity/v1/security_event_service_pb.ts';
import { enumName } from '../../output/enum-name.ts';
import { EXIT } from '../../output/exit-code.ts';
import { messageJson, printJson } from '../../output/message-json.ts';
import { readArguments } from '../../output/read-arguments.ts';
import { tableText } from '../../output/table.ts';
import { openWaiting } from '../../output/waiting.ts';
import { CONNECTION_FLAGS, callService } from '../call-service.ts';
import { IDENTITY_ADDRESS, IDENTITY_FLAGS_HELP } from '../identity-address.ts';
import { anchorText, readAnchor } from './anchor.ts';

const HELP = `Usage: optix events verify [--anchor <sequence>:<hash>]... [options]

Checks the audit log's chain of hashes, from its beginning to its end, and prints the end as an anchor. Kept elsewhere, an
anchor shows later that nothing up to it was removed or rewritten. Ends with 0 where the chain is intact, else with 3.

  --anchor S:H          an anchor that was kept; may be given again
  --from-anchor         begin at the last of them instead of at the beginning
${IDENTITY_FLAGS_HELP}

  optix events verify
  optix events verify --anchor 1500:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
  optix events verify --json > verification.json`;

const OPTIONS = {
  ...CONNECTION_FLAGS,
  anchor: { type: 'string', multiple: true },
  'from-anchor': { type: 'boolean' },
} as const;

/** `optix events verify`: checks the chain of the audit log. */
export async function verifyEvents(args: string[]): Promise<number> {
  const read = readArguments({ name: 'events verify', help: HELP, options: OPTIONS }, args);
  if (read === undefined) return EXIT.DONE;
  const { values: flags } = read;
  const anchors = (flags.anchor ?? []).map(readAnchor);
  const fromLastAnchor = flags['from-anchor'] ?? false;
  const result = await callService(SecurityEventService, IDENTITY_ADDRESS, flags, async (client) => {
    const { head } = await client.getSecurityEventChainHead({});
    using _waiting = openWaiting(process.stderr, () => `verifying up to entry ${head?.sequence ?? 0}`);
    // It takes as long as the log is long.
    return await client.verifySecurityEventChain({ anchors, fromLastAnchor }, { timeoutMs: 0 });
  });
  if (flags.json) printJson(messageJson(VerifySecurityEventChainResponseSchema, result));
  else print(result);
  return result.intact ? EXIT.DONE : EXIT.NO;
}

function print(result: VerifySecurityEventChainResponse): void {
  const { intact, verifiedEntries, firstSequence, head, findings, uncheckedAnchors, unsealedEvents } = result;
  const range = verifiedEntries === 0n ? '' : `, ${firstSequence} to ${head?.sequence}`;
  console.log(`${intact ? 'intact' : 'NOT INTACT'}: ${verifiedEntries} entries were looked at${range}`);
  if (unsealedEvents > 0n) console.log(`${unsealedEvents} events wait for their seal`);
  if (uncheckedAnchors.length > 0) {
    console.log(`anchors from before these, not compared: ${uncheckedAnchors.join(', ')}`);
  }
  if (findings.length > 0) {
    const rows = findings.map(({ kind, sequence, eventId, description }) => [
      sequence === 0n ? '' : String(sequence),
      enumName(ChainFindingKindSchema, kind).toLowerCase(),
      eventId,
      description,
    ]);
    console.log(tableText(['entry', 'finding', 'event', 'description'], rows));
  } else if (head !== undefined) console.log(`anchor: ${anchorText(head)}`);
}
