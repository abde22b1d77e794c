import { z } from 'zod';
import { readYaml } from '../../../runtime/callers/yaml-text.ts';
import type { YamlReading } from '../../../runtime/yaml-document.ts';
import type { AccessRequirement } from '../domain/access/access.ts';
import { type AccessRule, AccessRules } from '../domain/access/access-rules.ts';
import { MAX_AGE_FORM, parseMaxAge } from '../domain/access/max-age.ts';
import { pathPattern } from '../domain/access/request-path.ts';
import { ROLES } from '../domain/user.ts';

/** Labels of letters, digits and hyphens (RFC 1123 section 2.1; `_` is met inside clusters), or an address. */
const HOST = /^(?:(?:\*\.)?[a-z\d_-]{1,63}(?:\.[a-z\d_-]{1,63})*|\[[\da-f:.]+\])$/;
/** RFC 9110 section 5.6.2 */
const METHOD = /^[\dA-Za-z!#$%&'*+.^_`|~-]+$/;

const EMPTY = { error: 'must not be empty' };

const host = z
  .string()
  .transform((text) => text.toLowerCase())
  .refine((text) => HOST.test(text), {
    error: 'must be a host without a port, with *. before it for all below it',
  });
const method = z
  .string()
  .regex(METHOD, { error: 'must be a method of HTTP' })
  .transform((text) => text.toUpperCase());
const path = z.string().refine((text) => pathPattern(text) !== undefined, {
  error:
    'must be a path that begins with /, without query, dot segments, repeated slashes and encoded slashes; a * at its end only',
});

const requirementFields = {
  token: z.enum(['required', 'optional', 'none', 'deny']).default('required'),
  roles: z.array(z.enum(ROLES)).min(1, EMPTY).optional(),
  acr: z.enum(['aal1', 'aal2']).optional(),
  max_age: z
    .string()
    .refine((text) => parseMaxAge(text) !== undefined, { error: MAX_AGE_FORM })
    .optional(),
};
type WrittenRequirement = z.output<z.ZodObject<typeof requirementFields>>;

const requirement = z.strictObject(requirementFields).refine(asksOfTokens, {
  error: 'must have token: required where roles, acr or max_age are asked for',
});

const rule = z
  .strictObject({
    hosts: z.array(host).min(1, EMPTY).optional(),
    methods: z.array(method).min(1, EMPTY).optional(),
    paths: z.array(path).min(1, EMPTY).optional(),
    ...requirementFields,
  })
  .refine(asksOfTokens, { error: 'must have token: required where roles, acr or max_age are asked for' });

const schema = z.strictObject({
  rules: z.array(rule).default([]),
  default: requirement.optional(),
});

/** Where neither a rule nor a gateway says anything: a good token. */
const REQUIRED: AccessRequirement = {
  token: 'required',
  roles: [],
  acr: undefined,
  maxAgeSeconds: undefined,
};

/** The rules of a deployment that has no file of them. */
export const NO_ACCESS_RULES = new AccessRules({ rules: [], fallback: REQUIRED });

/** Reads an access rules file (YAML 1.2 or JSON). Answers the rules, or all that is wrong, with line and column. */
export function readAccessRulesDocument(text: string): YamlReading<AccessRules> {
  const { value, problems } = readYaml(text, schema, () => []);
  if (value === undefined) return { value, problems };
  const rules = value.rules.map(
    (written): AccessRule => ({
      hosts: written.hosts,
      methods: written.methods,
      paths: written.paths,
      requirement: requirementOf(written),
    }),
  );
  const fallback = value.default === undefined ? REQUIRED : requirementOf(value.default);
  return { value: new AccessRules({ rules, fallback }), problems: [] };
}

function requirementOf({ token, roles, acr, max_age }: WrittenRequirement): AccessRequirement {
  return {
    token,
    roles: roles === undefined ? [] : [roles],
    acr,
    maxAgeSeconds: max_age === undefined ? undefined : parseMaxAge(max_age),
  };
}

/** Of a request that needs no token nothing can be asked that a token tells. */
function asksOfTokens({ token, roles, acr, max_age }: WrittenRequirement): boolean {
  return token === 'required' || (roles === undefined && acr === undefined && max_age === undefined);
}
