import { expect, it } from 'vitest';
import { allowedResponses, DETECTION_RULES, defaultResponse, RESPONSES, severityOf } from './rules.ts';

it.each([
  ['new_device', 'low', 'notify', ['off', 'record', 'notify', 'step_up', 'lock']],
  ['new_country', 'medium', 'notify', ['off', 'record', 'notify', 'step_up', 'lock']],
  ['impossible_travel', 'high', 'step_up', ['off', 'record', 'notify', 'step_up', 'lock']],
  ['credential_stuffing', 'high', 'lock', ['off', 'record', 'lock']],
  ['failure_burst', 'medium', 'notify', ['off', 'record', 'notify', 'lock']],
  ['refresh_token_reuse', 'high', 'notify', ['record', 'notify', 'lock']],
] as const)('%s is of severity %s and is answered by %s of %j', (rule, severity, response, allowed) => {
  expect(severityOf(rule)).toBe(severity);
  expect(defaultResponse(rule)).toBe(response);
  expect(allowedResponses(rule)).toEqual(allowed);
});

it.each(DETECTION_RULES)(
  '%s lists its responses from the mildest to the strictest, its own among them',
  (rule) => {
    const allowed = allowedResponses(rule);
    expect(allowed).toEqual(RESPONSES.filter((response) => allowed.includes(response)));
    expect(allowed).toContain(defaultResponse(rule));
  },
);
