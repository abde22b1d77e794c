import { expect, test } from 'vitest';
import { printable, printableJson, printableLines } from './printable.ts';
import { tableText } from './table.ts';

test('columns are aligned, those of numbers at the right', () => {
  const rows = [
    ['orders', '5', 'a'],
    ['x', '1,000', ''],
    ['', '', 'b'],
  ];
  expect(tableText(['rule', 'units', 'note'], rows)).toBe(
    ['rule    units  note', 'orders      5  a', 'x       1,000', '               b'].join('\n'),
  );
});

test('a table without rows is its titles', () => {
  expect(tableText(['a', 'b'], [])).toBe('a  b');
});

test('characters of two columns and of none are aligned too', () => {
  expect(
    tableText(
      ['name', 'x'],
      [
        ['李四', 'a'],
        ['e\u0301', 'b'],
        ['🙂', 'c'],
      ],
    ),
  ).toBe(['name  x', '李四  a', 'e\u0301     b', '🙂    c'].join('\n'));
});

test('a table that is wider than the terminal is a block for each row', () => {
  const rows = [
    ['1', 'Ada'],
    ['2', ''],
  ];
  expect(tableText(['id', 'name'], rows, 8)).toBe(['id  name', ' 1  Ada', ' 2'].join('\n'));
  expect(tableText(['id', 'name'], rows, 7)).toBe(['id    1', 'name  Ada', '', 'id    2', 'name'].join('\n'));
});

test('a hundred thousand rows are a table', () => {
  const rows = Array.from({ length: 200_000 }, (_, index) => [String(index)]);
  expect(tableText(['n'], rows).split('\n')).toHaveLength(200_001);
});

test('a name can neither move the cursor of a terminal nor turn its text', () => {
  expect(printable('a\x1b[2Jb\u202ec\nd\u{1f600}é')).toBe('a\\u{1b}[2Jb\\u{202e}c\\u{a}d\u{1f600}é');
  expect(printableLines('one\ntwo\r\x1b[A')).toBe('one\ntwo\\u{d}\\u{1b}[A');
});

test('JSON means the same when it is harmless', () => {
  const value = { name: 'a\x9b2Jb\u202ec\u2028\u{1f600}\n' };
  const text = printableJson(JSON.stringify(value, undefined, 2));
  expect(text).not.toMatch(/[\x80-\x9f\u202e\u2028]/);
  expect(JSON.parse(text)).toEqual(value);
});
