import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { DatabaseUnavailable, EmailAlreadyRegistered, InvalidCredentials } from '../domain/errors.ts';
import { DatabaseError, translateDatabaseError } from './database-errors.ts';

const failure = (message: string, facts: object = {}) => Object.assign(new Error(message), facts);

test.each([
  ...['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', 'EPIPE', 'ENOENT'].map((code) =>
    failure('x', { code }),
  ),
  ...['08006', '28P01', '3D000', '40001', '40P01', '53300', '57P01', '57P03', '57014', '55P03', '25006'].map(
    (code) => failure('x', { code, severity: 'FATAL' }),
  ),
  failure('Connection terminated unexpectedly'),
  failure('Connection terminated due to connection timeout'),
  failure('timeout exceeded when trying to connect'),
  failure('timeout expired'),
  failure('Query read timeout'),
])('is the database being away: %s', (error) => {
  expect(translateDatabaseError(error)).toBeInstanceOf(DatabaseUnavailable);
});

test('only the index on addresses means that the address is taken', () => {
  const unique = { code: '23505', severity: 'ERROR' };
  expect(
    translateDatabaseError(failure('x', { ...unique, constraint: 'users_email_normalized_unique' })),
  ).toBeInstanceOf(EmailAlreadyRegistered);
  expect(
    translateDatabaseError(failure('x', { ...unique, constraint: 'signing_keys_kid_unique' })),
  ).toBeInstanceOf(DatabaseError);
});

test('a refusal keeps the rule and loses the values', () => {
  const refusal = failure('broken - detail: Failing row contains (secret)', {
    ...{ code: '23514', severity: 'ERROR', table: 'users', constraint: 'users_roles_check' },
    detail: 'Failing row contains (secret)',
  });
  const error = translateDatabaseError(refusal);
  expect(error).toMatchObject({ sqlState: '23514', table: 'users', constraint: 'users_roles_check' });
  expect(inspect(error, { showHidden: true })).not.toContain('secret');
});

test.each([
  new InvalidCredentials(),
  new TypeError('x'),
  'a text',
  undefined,
  failure('x', { code: 'ERR_OTHER' }),
])('is not the database: %s', (error) => {
  expect(translateDatabaseError(error)).toBe(error);
});
