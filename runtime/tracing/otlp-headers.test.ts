import { expect, it } from 'vitest';
import { parseHeaders } from './otlp-headers.ts';

it('headers are read as they are written in a baggage header', () => {
  expect(parseHeaders('X-Key=abc%3D%2C, authorization = Basic%20dTpw')).toEqual({
    'x-key': 'abc=,',
    authorization: 'Basic dTpw',
  });
});

it.each([
  '',
  'planted',
  'x-key=',
  '=planted',
  'x key=planted',
  'a=planted,,b=planted',
  'x-key=planted%0d%0aother:1',
  'x-key=planted%E2%82%AC',
  'x-key=planted%',
])('what no header can carry is refused without being shown: %j', (text) => {
  expect(() => parseHeaders(text)).toThrow(/^(must be name=value entries|has a value that is not)[^'"]*$/);
  expect(() => parseHeaders(text)).not.toThrow(/planted/);
});
