import { expect, it } from 'vitest';
import { amrOf } from './amr.ts';

it.each([
  ['single_device', false, ['hwk', 'user']],
  ['single_device', true, ['hwk', 'user', 'mfa']],
  ['multi_device', false, ['swk', 'user']],
  ['multi_device', true, ['swk', 'user', 'mfa']],
] as const)('a %s passkey, user verified: %s, gives %j', (deviceType, userVerified, amr) => {
  expect(amrOf({ deviceType, userVerified })).toEqual(amr);
});
