import { describe, expect, it } from 'vitest';
import { DEFAULT_RULES } from './domain/default-rules.ts';
import { InvalidRule } from './domain/errors.ts';
import { defineRule, type RuleDefinition } from './domain/rule.ts';
import { RuleBook } from './domain/rule-book.ts';
import { RuleAlreadyExists, RuleEtagMismatch, RuleNotFound, RuleNotLive } from './domain/rule-errors.ts';
import { MemoryLiveRules } from './storage/memory-live-rules.ts';

const ruleOf = (name: string, limit: number): RuleDefinition => ({
  name,
  limits: [{ limit, windowMicros: 60_000_000 }],
  onStoreFailure: 'FAIL_OPEN',
});

const withLimit = (limit: number) => (before: Required<RuleDefinition>) => ({
  ...before,
  limits: [{ limit, windowMicros: 60_000_000 }],
});

function newBook(): RuleBook {
  return new RuleBook({ base: DEFAULT_RULES, origin: 'FILE', live: new MemoryLiveRules() });
}

const limitOf = (book: RuleBook, endpoint: string) => book.current.ruleFor(endpoint).rule.limits[0]?.limit;

const summary = (book: RuleBook) =>
  book.list().map(({ rule, origin }) => `${rule.name} ${rule.definition.limits[0]?.limit} ${origin}`);

describe('the rules in force', () => {
  it('are those of the file, by name', () => {
    expect(summary(newBook())).toEqual([
      'api_default 100 FILE',
      'auth_email_verification 3 FILE',
      'auth_login 5 FILE',
      'auth_mfa 5 FILE',
      'auth_password_reset 3 FILE',
      'auth_refresh 10 FILE',
      'auth_register 3 FILE',
    ]);
  });

  it('with the live ones over them', async () => {
    const book = newBook();
    const created = await book.create(ruleOf('orders', 7));
    expect(created).toEqual({ rule: defineRule(ruleOf('orders', 7)), origin: 'LIVE' });
    await book.update('auth_login', withLimit(6));
    expect(summary(book)).toEqual([
      'api_default 100 FILE',
      'auth_email_verification 3 FILE',
      'auth_login 6 LIVE',
      'auth_mfa 5 FILE',
      'auth_password_reset 3 FILE',
      'auth_refresh 10 FILE',
      'auth_register 3 FILE',
      'orders 7 LIVE',
    ]);
    expect([limitOf(book, 'orders'), limitOf(book, 'auth_login')]).toEqual([7, 6]);
    expect(book.get('auth_login').rule.onStoreFailure).toBe('FAIL_LOCAL');
  });

  it('are those of the file again where a live one is deleted', async () => {
    const book = newBook();
    await book.update('auth_login', withLimit(6));
    await book.delete('auth_login');
    expect(book.get('auth_login')).toEqual({ rule: DEFAULT_RULES[0], origin: 'FILE' });
    await book.create(ruleOf('orders', 7));
    await book.delete('orders');
    expect(limitOf(book, 'orders')).toBe(100);
  });

  it('change with the file, but for what is live', async () => {
    const book = newBook();
    await book.update('auth_login', withLimit(6));
    book.replaceBase([ruleOf('api_default', 50), ruleOf('auth_login', 2), ruleOf('new', 1)].map(defineRule));
    expect(summary(book)).toEqual(['api_default 50 FILE', 'auth_login 6 LIVE', 'new 1 FILE']);
    await book.delete('auth_login');
    expect(limitOf(book, 'auth_login')).toBe(2);
  });

  it('stay where other ones can not be a set', () => {
    const book = newBook();
    const before = book.current;
    expect(() => book.replaceBase([defineRule(ruleOf('orders', 1))])).toThrow(InvalidRule);
    expect(book.current).toBe(before);
  });

  it('keep each rule whose content stays, as it is', async () => {
    const book = newBook();
    const login = book.current.get('auth_login');
    await book.create(ruleOf('orders', 7));
    const orders = book.current.get('orders');
    book.replaceBase(DEFAULT_RULES.map(({ definition }) => defineRule(definition)));
    await book.update('api_default', withLimit(1));
    expect(book.current.get('auth_login')).toBe(login);
    expect(book.current.get('orders')).toBe(orders);
  });
});

describe('a change', () => {
  it('needs the etag of the rule in force, where it gives one', async () => {
    const book = newBook();
    const { version } = book.get('auth_login').rule;
    const { rule } = await book.update('auth_login', withLimit(6), version);
    await expect(book.update('auth_login', withLimit(7), version)).rejects.toThrow(RuleEtagMismatch);
    await expect(book.delete('auth_login', version)).rejects.toThrow(RuleEtagMismatch);
    expect(limitOf(book, 'auth_login')).toBe(6);
    await book.delete('auth_login', rule.version);
    expect(limitOf(book, 'auth_login')).toBe(5);
  });

  it('of a rule that is not there is refused', async () => {
    const book = newBook();
    expect(() => book.get('orders')).toThrow(RuleNotFound);
    await expect(book.update('orders', withLimit(7))).rejects.toThrow(RuleNotFound);
    await expect(book.delete('orders')).rejects.toThrow(RuleNotFound);
  });

  it('can not create what there is, in the file or live', async () => {
    const book = newBook();
    await expect(book.create(ruleOf('auth_login', 7))).rejects.toThrow(RuleAlreadyExists);
    await book.create(ruleOf('orders', 7));
    await expect(book.create(ruleOf('orders', 7))).rejects.toThrow(RuleAlreadyExists);
  });

  it('can not take away what stands in the file only', async () => {
    const book = newBook();
    await expect(book.delete('api_default')).rejects.toThrow(RuleNotLive);
    await book.update('api_default', withLimit(1));
    await book.delete('api_default');
    expect(limitOf(book, 'anything')).toBe(100);
  });

  it('that breaks the bounds of a rule leaves it as it was', async () => {
    const book = newBook();
    await expect(book.update('auth_login', withLimit(0))).rejects.toThrow(/limits\[0\]\.limit/);
    await expect(book.create({ ...ruleOf('orders', 7), limits: [] })).rejects.toThrow(InvalidRule);
    expect(summary(book)).toEqual(summary(newBook()));
  });
});
