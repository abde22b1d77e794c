import { expect, test } from 'vitest';
import { printable, tableText } from './table.ts';

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

test('a name can neither move the cursor of a terminal nor turn its text', () => {
  expect(printable('a\x1b[2Jb\u202ec\nd\u{1f600}é')).toBe('a\\u{1b}[2Jb\\u{202e}c\\u{a}d\u{1f600}é');
});
