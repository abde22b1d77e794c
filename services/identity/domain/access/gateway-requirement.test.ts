import { expect, it } from 'vitest';
import { readRequirement, UnreadableRequirement } from './gateway-requirement.ts';

it('a gateway that says nothing requires nothing of its own', () => {
  expect(readRequirement({})).toBeUndefined();
  expect(readRequirement(new Map())).toBeUndefined();
});

it('a gateway may ask for a token, roles, an assurance level and a fresh authentication', () => {
  const all = { roles: 'admin, premium', acr: 'aal2', max_age: '1h30m' };
  const requirement = {
    token: 'required',
    roles: [['admin', 'premium']],
    acr: 'aal2',
    maxAgeSeconds: 5400,
  };
  expect(readRequirement(all)).toEqual(requirement);
  expect(readRequirement(new Map(Object.entries(all)))).toEqual(requirement);
  expect(readRequirement({ token: 'none' })).toMatchObject({ token: 'none', roles: [] });
  expect(readRequirement({ max_age: '15m' })).toMatchObject({ token: 'required', maxAgeSeconds: 900 });
});

it.each([
  ['a misspelt name', { role: 'admin' }, /^"role" is no known parameter$/],
  [
    'a name of the prototype',
    JSON.parse('{"__proto__": "x"}') as Record<string, string>,
    /no known parameter/,
  ],
  ['an endless name', { ['x'.repeat(1000)]: '' }, /^"x{64}" is no known parameter$/],
  ['a token that is none', { token: 'Required' }, /^token must be one of required, optional, none, deny$/],
  ['an empty token', { token: '' }, /^token must be/],
  ['no roles', { roles: '' }, /^roles must be some of admin, premium, user, trial between commas$/],
  ['a role that nobody has', { roles: 'admin,root' }, /^roles must be/],
  ['a comma too many', { roles: 'admin,' }, /^roles must be/],
  ['a level that is none', { acr: 'aal3' }, /^acr must be one of aal1, aal2$/],
  ['a time without a unit', { max_age: '900' }, /^max_age must be a time/],
  ['no time', { max_age: '0s' }, /^max_age must be a time/],
  ['a negative time', { max_age: '-1m' }, /^max_age must be a time/],
  ['units in another order', { max_age: '1m1h' }, /^max_age must be a time/],
  ['roles of nobody', { token: 'none', roles: 'admin' }, /^token must be required where/],
  ['roles of somebody or nobody', { token: 'optional', roles: 'admin' }, /^token must be required where/],
  ['a level of nobody', { token: 'deny', acr: 'aal2' }, /^token must be required where/],
])('%s is a mistake in its configuration, and named', (_, parameters: Record<string, string>, problem) => {
  const reading = () => readRequirement(parameters);
  expect(reading).toThrow(UnreadableRequirement);
  expect(reading).toThrow(expect.objectContaining({ problem: expect.stringMatching(problem) as string }));
});
