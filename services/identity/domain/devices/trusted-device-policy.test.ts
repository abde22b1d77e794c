import { expect, test } from 'vitest';
import type { Role } from '../user.ts';
import { TrustedDevicePolicy } from './trusted-device-policy.ts';

const policy = new TrustedDevicePolicy({ lifetimeMs: 1, roles: ['premium', 'user'] });

test.each<[readonly Role[], boolean]>([
  [['user'], true],
  [['user', 'premium'], true],
  [['trial'], false],
  [['user', 'admin'], false],
  [[], false],
])('users with the roles %j may trust devices: %s', (roles, allowed) => {
  expect(policy.allows(roles)).toBe(allowed);
});

test('a lifetime of 0 is for nobody', () => {
  expect(new TrustedDevicePolicy({ lifetimeMs: 0, roles: ['user'] }).allows(['user'])).toBe(false);
});
