import { describe, expect, it } from 'vitest';
import { PrintedAnswers } from './answers.ts';

describe('the comparison of a printed answer with the real one', () => {
  const differs = (actual: string, printed: string) => {
    const compared = new PrintedAnswers().compare(actual, printed);
    return JSON.stringify(compared.actual) !== JSON.stringify(compared.printed);
  };

  it.each([
    ['a value', '{"limit":5}', '{ "limit": 6 }'],
    ['a field more', '{"limit":5,"cost":1}', '{ "limit": 5 }'],
    ['a field less', '{"limit":5}', '{ "limit": 5, "cost": 1 }'],
    ['another kind of value', '{"id":"4711"}', '{ "id": "01a20245-c7b0-7261-8b73-9dfb349cd532" }'],
    ['a chosen duration', '{"window":"30s"}', '{ "window": "60s" }'],
    ['a line more', 'a\nb', 'a'],
    ['a line less', 'a', 'a\nb'],
    ['lines in another order', 'a\nb\nc', 'b\na\n...'],
    ['the beginning of a token', '{"token":"ort_x"}', '{ "token": "eyJ..." }'],
    [
      'two ids where one is printed twice',
      '{"a":"01a20245-c7b0-7261-8b73-9dfb349cd532","b":"01a20245-c83b-739b-a5ef-8e6bd0faf248"}',
      '{ "a": "01a20245-c7b0-7261-8b73-000000000000", "b": "01a20245-c7b0-7261-8b73-000000000000" }',
    ],
  ])('sees %s that differs', (_, actual, printed) => expect(differs(actual, printed)).toBe(true));

  it.each([
    ['times', '{"at":"2027-01-01T00:00:00Z"}', '{ "at": "2026-11-22T08:01:57.056949Z" }'],
    ['measured durations', '{"retryAfter":"1.5s"}', '{ "retryAfter": "59.9s" }'],
    [
      'ids',
      '{"id":"01a20245-c7b0-7261-8b73-9dfb349cd532"}',
      '{ "id": "01a20245-c83b-739b-a5ef-8e6bd0faf248" }',
    ],
    ['what is left out', 'a\nb\n{"user":{"id":"x"}}', '...\nb\n{ "user": { ... } }'],
  ])('lets %s differ', (_, actual, printed) => expect(differs(actual, printed)).toBe(false));
});
