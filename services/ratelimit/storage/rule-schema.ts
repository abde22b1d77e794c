import { z } from 'zod';
import { ALGORITHMS, MAX_UNITS } from '../domain/algorithm.ts';
import { MAX_BYPASS_ROLES, MAX_LIMITS, MAX_OVERRIDES, RULE_NAME } from '../domain/rule.ts';
import { WINDOW_TEXT } from './window-text.ts';

/*
 * The form of rules in the rules file, and in the live rules' document. It says which fields there are and of which
 * type; their bounds are the domain's (defineRule), and stand here once more for editors only, as metadata.
 */

const units = z.number().meta({ type: 'integer', minimum: 1, maximum: MAX_UNITS });

const mode = z
  .enum(['ENFORCED', 'SHADOW', 'UNLIMITED', 'DISABLED'])
  .describe(
    'ENFORCED (the default); SHADOW counts apart and denies nothing; UNLIMITED and DISABLED count nothing.',
  );

const limit = z.strictObject({
  name: z
    .string()
    .optional()
    .meta({ pattern: '^[A-Za-z0-9_-]{0,32}$' })
    .describe('Tells the limits of a rule apart; what was counted follows it.'),
  algorithm: z.enum(ALGORITHMS).optional().describe('How units are counted. Default: SLIDING_WINDOW_LOG.'),
  limit: units.describe(
    'Units a window, or held at one time (CONCURRENCY); at most 100,000 for SLIDING_WINDOW_LOG.',
  ),
  window: z
    .string({ error: windowError })
    .regex(WINDOW_TEXT, { error: windowError })
    .describe('Length of the window, or of a lease: 1ms to 400d, such as 500ms, 1m or 1h30m.'),
  burst: units.optional().describe('The most units at once, for TOKEN_BUCKET. Default: limit.'),
  shadow: z.boolean().optional().describe('true: counted apart and never enforced. Default: false.'),
});

const limits = z.array(limit).meta({ maxItems: MAX_LIMITS });

const override = z.strictObject({
  identifier: z
    .string()
    .meta({ minLength: 1, maxLength: 256 })
    .describe('An identifier, or a pattern in which each * stands for any text.'),
  mode: mode.optional(),
  limits: limits.optional().describe('Instead of the limits of the rule.'),
});

/** One rule. */
export const ruleSchema = z.strictObject({
  name: z
    .string()
    .meta({ pattern: RULE_NAME.source })
    .describe('The endpoint that the rule is for; api_default is for all that have none.'),
  limits: limits
    .optional()
    .describe('All of them hold at once. At least one, but with UNLIMITED or DISABLED.'),
  mode: mode.optional(),
  bypass_roles: z
    .array(z.string())
    .optional()
    .meta({ maxItems: MAX_BYPASS_ROLES })
    .describe('Roles that pass without being counted. Default: [admin].'),
  on_store_failure: z
    .enum(['FAIL_LOCAL', 'FAIL_OPEN', 'FAIL_CLOSED'])
    .optional()
    .describe(
      'While Redis is away: FAIL_LOCAL (each process enforces its share), FAIL_OPEN (the default: allow), FAIL_CLOSED (deny).',
    ),
  overrides: z
    .array(override)
    .optional()
    .meta({ maxItems: MAX_OVERRIDES })
    .describe('What holds for some identifiers instead.'),
});

/** One rule as it is written. */
export type WrittenRule = z.infer<typeof ruleSchema>;
export type WrittenLimit = z.infer<typeof limit>;

/** A whole file. */
export const rulesFileSchema = z
  .strictObject({ rules: z.array(ruleSchema).describe('One of them is api_default.') })
  .meta({ title: 'Rules of the rate limiter' });

/** What holds a file's rules together. These are looked at one by one. */
export const rulesShellSchema = z.strictObject({ rules: z.array(z.unknown()) });

function windowError(): string {
  return 'must be a length of time with its unit, such as 500ms, 1s, 1m, 1h30m or 1d';
}
