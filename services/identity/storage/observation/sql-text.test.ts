import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { statementText, withoutLiterals } from './sql-text.ts';

describe('the text of a statement', () => {
  test.each([
    ['select * from users where id = $1 limit 50', 'select * from users where id = $1 limit ?'],
    [`select 'a secret', "a 'name'" from t`, `select ?, "a 'name'" from t`],
    [`select 'it''s' || 'b'`, `select ? || ?`],
    [`select e'it\\'s', E'\\\\', 'x'`, `select ?, ?, ?`],
    [`select 'c:\\', $1`, `select ?, $1`],
    ['select $$a $1 b$$, $tag$ $$ $tag$, $1', 'select ?, ?, $1'],
    [`select 1 -- it's\n, 2 /* 'x */`, `select ?  \n, ?  `],
    ['select 1.5e10, 0xff, t1.c2, a1_2, -3', 'select ?, ?, t1.c2, a1_2, -?'],
    ['from sessions_history_202611 s1', 'from sessions_history_202611 s1'],
    [`select 'never closed`, 'select ?'],
    ['select $$never closed', 'select ?'],
    ['select a$$; select b$$', 'select a$$; select b$$'],
    [`interval '5 minutes' * 3`, 'interval ? * ?'],
  ])('%s', (sql, expected) => {
    expect(withoutLiterals(sql)).toBe(expected);
  });

  it('has no value that was written as a literal', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.nat(), (text, number) => {
        const literal = `'${text.replaceAll("'", "''")}'`;
        expect(withoutLiterals(`select ${literal}, $1, ${number} from users`)).toBe(
          'select ?, $1, ? from users',
        );
      }),
    );
  });

  it('is told on one line, and cut off', () => {
    expect(statementText('\n  select a,\n    b\n  from t\n')).toBe('select a, b from t');
    const long = statementText(`insert into t values ${'($1, $2), '.repeat(5000)}`);
    expect(long).toHaveLength(1003);
    expect(long.endsWith('...')).toBe(true);
  });
});
