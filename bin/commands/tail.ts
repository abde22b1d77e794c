import { WatchDecisionsResponseSchema } from '../../gen/optix/ratelimit/v1/rate_limit_admin_service_pb.ts';
import { EXIT } from '../output/exit-code.ts';
import { messageJson, printJsonLine } from '../output/message-json.ts';
import { readArguments } from '../output/read-arguments.ts';
import { untilStopped } from '../output/until-stopped.ts';
import { UsageError } from '../usage.ts';
import { CONNECTION_FLAGS } from './call-service.ts';
import { RATE_LIMIT_CONNECTION_HELP, withLimiterAdmin } from './rate-limit-connection.ts';
import { watchedDecisionText } from './tail/watched-decision-text.ts';

const HELP = `Usage: optix tail [options]

Shows decisions as the replica that is asked makes them, until Ctrl-C. No check waits for it: where it is too slow,
decisions are left out, and it says how many.

  --endpoint NAME     only this endpoint
  --identifier TEXT   only identifiers that begin with this
  --denied            only denials, also what a shadow limit would have denied
  --sample RATIO      show this share of them, above 0 to 1 (1)
  --json              print one JSON document a line
${RATE_LIMIT_CONNECTION_HELP}

  optix tail --denied
  optix tail --endpoint orders --sample 0.01
  optix tail --identifier user: --json | jq -r .identifier`;

const OPTIONS = {
  ...CONNECTION_FLAGS,
  endpoint: { type: 'string' },
  identifier: { type: 'string' },
  denied: { type: 'boolean' },
  sample: { type: 'string' },
} as const;

/** `optix tail`: decisions as they are made. */
export async function tailCommand(args: string[]): Promise<number> {
  const given = readArguments({ name: 'tail', help: HELP, options: OPTIONS }, args);
  if (given === undefined) return EXIT.DONE;
  const { endpoint = '', identifier = '', denied = false, sample, json, ...connection } = given.values;
  const filter = {
    endpoint,
    identifierPrefix: identifier,
    deniedOnly: denied,
    sampleRate: ratioOf(sample),
  };
  const signal = untilStopped();
  let shown = 0;
  let dropped = 0n;
  await withLimiterAdmin(connection, async (admin) => {
    try {
      for await (const decision of admin.watchDecisions(filter, { signal })) {
        shown += 1;
        dropped += decision.dropped;
        if (json) printJsonLine(messageJson(WatchDecisionsResponseSchema, decision));
        else console.log(watchedDecisionText(decision));
        if (decision.dropped > 0n)
          console.error(`optix: ${decision.dropped} left out: read faster, or --sample`);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  });
  console.error(`optix: ${shown} shown, ${dropped} left out`);
  return EXIT.DONE;
}

function ratioOf(text = '1'): number {
  const ratio = /^\d*\.?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (ratio > 0 && ratio <= 1) return ratio;
  throw new UsageError(`tail: --sample ${text} is no share above 0 to 1, such as 0.01`);
}
