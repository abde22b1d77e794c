import { describe, expect, test } from 'vitest';
import {
  type AuthenticationMethod,
  acrOf,
  authenticationContext,
  combine,
} from './authentication-context.ts';

type Methods = readonly AuthenticationMethod[];

const FIRST = new Date('2026-11-22T12:00:00Z');
const LATER = new Date('2026-11-22T12:05:00Z');

describe('a sign-in', () => {
  test.each<[methods: Methods, amr: Methods, acr: string]>([
    [[], [], 'aal1'],
    [['pwd'], ['pwd'], 'aal1'],
    [['otp'], ['otp'], 'aal1'],
    [['hwk', 'user'], ['hwk', 'user'], 'aal1'],
    [['pwd', 'user'], ['pwd', 'user'], 'aal1'],
    [['pwd', 'otp'], ['pwd', 'otp', 'mfa'], 'aal2'],
    [['otp', 'pwd', 'otp'], ['pwd', 'otp', 'mfa'], 'aal2'],
    [['user', 'swk', 'pwd'], ['pwd', 'swk', 'user', 'mfa'], 'aal2'],
    [['otp', 'hwk', 'swk'], ['otp', 'hwk', 'swk'], 'aal1'],
    [['mfa', 'user', 'hwk'], ['hwk', 'user', 'mfa'], 'aal2'],
  ])('with %j is %j, %s', (methods, amr, acr) => {
    expect(authenticationContext(methods, FIRST)).toEqual({ amr, acr, authenticatedAt: FIRST });
    expect(acrOf(amr)).toBe(acr);
  });
});

describe('a session', () => {
  test.each<[before: Methods, more: Methods, amr: Methods, acr: string]>([
    [['pwd'], ['otp'], ['pwd', 'otp', 'mfa'], 'aal2'],
    [['pwd'], ['hwk', 'user'], ['pwd', 'hwk', 'user', 'mfa'], 'aal2'],
    [['pwd'], ['swk', 'user', 'mfa'], ['pwd', 'swk', 'user', 'mfa'], 'aal2'],
    [['hwk', 'user'], ['pwd'], ['pwd', 'hwk', 'user', 'mfa'], 'aal2'],
    [['hwk', 'user'], ['otp'], ['otp', 'hwk', 'user'], 'aal1'],
    [['pwd'], ['pwd'], ['pwd'], 'aal1'],
    [['pwd', 'otp'], ['pwd'], ['pwd', 'otp', 'mfa'], 'aal2'],
    [['hwk', 'user', 'mfa'], ['hwk', 'user', 'mfa'], ['hwk', 'user', 'mfa'], 'aal2'],
    [['pwd', 'otp'], [], ['pwd', 'otp', 'mfa'], 'aal2'],
  ])('of %j and then %j is %j, %s, by the clock of the latter', (before, more, amr, acr) => {
    const context = authenticationContext(before, FIRST);
    expect(combine(context, more, LATER)).toEqual({ amr, acr, authenticatedAt: LATER });
    expect(context.authenticatedAt).toBe(FIRST);
  });
});
