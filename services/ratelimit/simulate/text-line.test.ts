import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readSubjects } from './subject.ts';
import { textLineReader } from './text-line.ts';

const TIME = '17/May/2015:08:05:03 +0000';
const TAIL = '200 512 "https://example.com/a" "Mozilla/5.0 (\\"X\\")"';

function read(line: string, by = 'ip') {
  return textLineReader(readSubjects(by) ?? [])(line);
}

describe('textLineReader', () => {
  it('reads the combined format', () => {
    expect(read(`203.0.113.9 - ada [${TIME}] "GET /orders?id=1#x HTTP/1.1" ${TAIL}`, 'user')).toEqual({
      timeMicros: Date.UTC(2015, 4, 17, 8, 5, 3) * 1000,
      identifier: 'user:ada',
      method: 'GET',
      path: '/orders',
      cost: 1,
      roles: [],
      durationMicros: undefined,
    });
  });

  it.each([
    ['the common format', `203.0.113.9 - - [${TIME}] "GET /a HTTP/1.1" 200 -`],
    [
      'a virtual host before the client',
      `example.com:443 203.0.113.9 - - [${TIME}] "GET /a HTTP/1.1" ${TAIL}`,
    ],
    ['a user with blanks', `203.0.113.9 - ada of london [${TIME}] "GET /a HTTP/1.1" ${TAIL}`],
    ['a line cut off in its last field', `203.0.113.9 - - [${TIME}] "GET /a HTTP/1.1" 200 5 "-" "Moz`],
    ['HTTP/0.9', `203.0.113.9 - - [${TIME}] "GET /a" 200 5`],
    ['a whole URL, as proxies get', `203.0.113.9 - - [${TIME}] "GET http://example.com/a HTTP/1.1" 200 5`],
  ])('reads %s', (_, line) => {
    expect(read(line)).toMatchObject({ identifier: 'ip:203.0.113.9', method: 'GET', path: '/a' });
  });

  it('reads referer and user agent, with quotes within', () => {
    const line = `203.0.113.9 - - [${TIME}] "GET /a\\"b HTTP/1.1" ${TAIL}`;
    expect(read(line, 'header:referer')).toMatchObject({ identifier: 'referer:https://example.com/a' });
    expect(read(line, 'header:user-agent')).toMatchObject({ identifier: 'user-agent:Mozilla/5.0 (\\"X\\")' });
    expect(read(`203.0.113.9 - - [${TIME}] "GET /a HTTP/1.1" 200 5`, 'header:referer')).toMatchObject({
      identifier: undefined,
    });
  });

  it.each(['-', '', '\\x16\\x03\\x01', 'GET  /a HTTP/1.1'])(
    'counts the request %j, which has no path',
    (text) => {
      expect(read(`203.0.113.9 - - [${TIME}] "${text}" 400 0 "-" "-"`)).toMatchObject({
        identifier: 'ip:203.0.113.9',
        path: '',
      });
    },
  );

  it.each([
    ['hello', 'has no time in brackets'],
    ['203.0.113.9 - - [yesterday] "GET / HTTP/1.1" 200 5', 'has a time that can not be read'],
    [`203.0.113.9 [${TIME}] "GET / HTTP/1.1" 200 5`, 'has no client, identity and user before the time'],
    [`203.0.113.9 - - [${TIME}] GET / 200`, 'has no quoted request after the time'],
    [`203.0.113.9 - - [${TIME}] "GET / HTTP/1.1`, 'has a request without its closing quote'],
  ])('says what is wrong with %j', (line, reason) => {
    expect(read(line)).toBe(reason);
  });

  it('reads or refuses any line at all, in time that grows with its length only', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...' []"\\:-a1/') }), (line) => {
        expect(['string', 'object']).toContain(typeof read(line));
      }),
    );
    const started = performance.now();
    read(`${' ['.repeat(30_000)}${'\\"'.repeat(30_000)}`);
    read(`203.0.113.9 - - [${TIME}] "${'\\'.repeat(60_000)}"`);
    expect(performance.now() - started).toBeLessThan(1_000);
  });
});
