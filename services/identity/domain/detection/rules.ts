import type { Severity } from '../security-event.ts';

/** What is looked for. */
export const DETECTION_RULES = [
  'new_device',
  'new_country',
  'impossible_travel',
  'credential_stuffing',
  'failure_burst',
  'refresh_token_reuse',
] as const;
export type DetectionRule = (typeof DETECTION_RULES)[number];

/**
 * What a finding brings about. One of them is chosen a rule, from the mildest to the strictest:
 *
 * - `off`: nothing; the rule is not looked at.
 * - `record`: an event in the audit log and nothing else. The others write it as well, and beside it:
 * - `notify`: the user is told by mail.
 * - `step_up`: a second factor is due. A user who has none is told by mail.
 * - `lock`: the account is locked; of `credential_stuffing`, the network that it comes from.
 */
export const RESPONSES = ['off', 'record', 'notify', 'step_up', 'lock'] as const;
export type Response = (typeof RESPONSES)[number];

interface RuleTerms {
  readonly severity: Severity;
  readonly allowed: readonly Response[];
  readonly fallback: Response;
}

const TERMS: Readonly<Record<DetectionRule, RuleTerms>> = {
  new_device: { severity: 'low', allowed: RESPONSES, fallback: 'notify' },
  new_country: { severity: 'medium', allowed: RESPONSES, fallback: 'notify' },
  impossible_travel: { severity: 'high', allowed: RESPONSES, fallback: 'step_up' },
  // About many accounts, of which most have nothing to do with it: there is nobody to tell or to ask for a factor.
  credential_stuffing: { severity: 'high', allowed: ['off', 'record', 'lock'], fallback: 'lock' },
  // Nobody is signed in who could be asked for a second factor.
  failure_burst: { severity: 'medium', allowed: ['off', 'record', 'notify', 'lock'], fallback: 'notify' },
  // Never off: a token that is used twice was copied (RFC 9700 section 4.14.2), and its family is revoked in any case.
  refresh_token_reuse: { severity: 'high', allowed: ['record', 'notify', 'lock'], fallback: 'notify' },
};

/** The severity of the rule's events. */
export function severityOf(rule: DetectionRule): Severity {
  return TERMS[rule].severity;
}

/** The response where none is configured. */
export function defaultResponse(rule: DetectionRule): Response {
  return TERMS[rule].fallback;
}

/** The responses that make sense for the rule, from the mildest to the strictest. */
export function allowedResponses(rule: DetectionRule): readonly Response[] {
  return TERMS[rule].allowed;
}
