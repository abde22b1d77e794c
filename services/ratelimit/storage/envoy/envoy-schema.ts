import { z } from 'zod';

/*
 * The form of Envoy's configuration files, as its reference implementation has it, and what we add: which fields there
 * are and of which type. Their bounds are the domain's (DefinitionCheck). A field without a value is as one left out.
 */

/** What its text is asked for: `value: 404` is the value "404". */
const text = z.union([z.string(), z.number(), z.boolean()], {
  error: ({ input }) => (input === undefined ? 'must be set' : 'must be a text'),
});
const flag = z.boolean().nullish();

const rateLimit = z.strictObject({
  unit: z.string().nullish(),
  requests_per_unit: z.number().nullish(),
  unlimited: flag,
  name: text.nullish(),
  replaces: z.array(z.strictObject({ name: text.nullish() })).nullish(),
  rule: text.nullish(),
  identifier: text.nullish(),
});

const descriptor = z.strictObject({
  key: text,
  value: text.nullish(),
  rate_limit: rateLimit.nullish(),
  shadow_mode: flag,
  quota_mode: flag,
  detailed_metric: flag,
  value_to_metric: flag,
  share_threshold: flag,
  get descriptors() {
    return z.array(descriptor).nullish();
  },
});

/** A whole file. */
export const envoyFileSchema = z.strictObject({
  domain: text,
  descriptors: z.array(descriptor).nullish(),
});
