import type { Client } from '@connectrpc/connect';
import {
  type CheckLimitResponse,
  CheckLimitResponseSchema,
  type RateLimitService,
} from '../../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { EXIT } from '../../output/exit-code.ts';
import { messageJson, printJson } from '../../output/message-json.ts';
import { type CommandForm, readArguments } from '../../output/read-arguments.ts';
import { UsageError } from '../../usage.ts';
import { CONNECTION_FLAGS } from '../call-service.ts';
import { RATE_LIMIT_CONNECTION_HELP, withLimiter } from '../rate-limit-connection.ts';
import { decisionText } from './decision-text.ts';

const MAX_UINT32 = 0xffff_ffff;

/** Flags of the commands that ask about one operation. */
export const CHECK_OPTIONS = {
  ...CONNECTION_FLAGS,
  cost: { type: 'string' },
  role: { type: 'string', multiple: true },
} as const;

/** What they ask. */
export interface CheckQuestion {
  readonly endpoint: string;
  readonly identifier: string;
  readonly cost: number;
  readonly roles: string[];
}

export function checkHelp(name: string, what: string, examples: string): string {
  return `Usage: optix ${name} <endpoint> <identifier> [options]

${what}

  --cost N            how many units it takes (1)
  --role NAME         a role of the caller; may be given several times
  --json              print the decision as JSON
${RATE_LIMIT_CONNECTION_HELP}

Exit code: 0 allowed, 3 denied, 1 not decided, 2 mistake of usage.

${examples}`;
}

/** Asks, and prints the decision. */
export async function askLimiter(
  form: CommandForm<typeof CHECK_OPTIONS>,
  args: string[],
  ask: (
    limiter: Client<typeof RateLimitService>,
    question: CheckQuestion,
  ) => Promise<CheckLimitResponse | undefined>,
): Promise<number> {
  const given = readArguments(form, args);
  if (given === undefined) return EXIT.DONE;
  const { values, positionals } = given;
  const [endpoint = '', identifier = ''] = positionals;
  const question = { endpoint, identifier, cost: costOf(form.name, values.cost), roles: values.role ?? [] };
  const decision = await withLimiter(values, async (limiter) => await ask(limiter, question));
  if (decision === undefined) throw new Error('the service answered without a decision');
  if (values.json) printJson(messageJson(CheckLimitResponseSchema, decision));
  else console.log(decisionText(decision, question, Date.now()));
  return decision.allowed ? EXIT.DONE : EXIT.NO;
}

function costOf(name: string, text = '1'): number {
  const cost = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (cost >= 1 && cost <= MAX_UINT32) return cost;
  throw new UsageError(`${name}: --cost ${text} is no number from 1 to ${MAX_UINT32}`);
}
