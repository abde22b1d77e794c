import { describe, expect, it } from 'vitest';
import { jsonLineReader, readFieldNames, USUAL_FIELD_NAMES } from './json-line.ts';
import { readSubjects } from './subject.ts';

const MOMENT = Date.UTC(2026, 10, 22, 10) * 1000;

function read(data: unknown, { by = 'ip', fields = '' } = {}) {
  const names = fields === '' ? USUAL_FIELD_NAMES : readFieldNames(fields);
  return jsonLineReader(
    readSubjects(by) ?? [],
    names,
  )(typeof data === 'string' ? data : JSON.stringify(data));
}

describe('jsonLineReader', () => {
  it.each([
    [
      'nginx',
      {
        time_iso8601: '2026-11-22T10:00:00+00:00',
        remote_addr: '203.0.113.9',
        request: 'GET /a?b HTTP/1.1',
        request_time: '0.250',
      },
    ],
    [
      'Caddy',
      {
        ts: MOMENT / 1_000_000,
        request: { remote_ip: '203.0.113.9', method: 'GET', uri: '/a?b' },
        duration: 0.25,
      },
    ],
    [
      'Envoy',
      {
        start_time: '2026-11-22T10:00:00.000Z',
        client_ip: '203.0.113.9',
        method: 'GET',
        path: '/a?b',
        duration: 0.25,
      },
    ],
  ])('reads what %s writes', (_, line) => {
    expect(read(line)).toEqual({
      timeMicros: MOMENT,
      identifier: 'ip:203.0.113.9',
      method: 'GET',
      path: '/a',
      cost: 1,
      roles: [],
      durationMicros: 250_000,
    });
  });

  it('reads fields by names that are given', () => {
    const line = { at: MOMENT, 'who.id': 'ada', http: { target: '/a' }, n: 3, groups: 'admin, ops' };
    const fields = 'time=at,user=who.id,path=http.target,cost=n,roles=groups';
    expect(read(line, { by: 'user', fields })).toMatchObject({
      timeMicros: MOMENT,
      identifier: 'user:ada',
      path: '/a',
      cost: 3,
      roles: ['admin', 'ops'],
    });
  });

  it.each([
    { headers: { 'X-Tenant': 'acme' } },
    { request: { headers: { 'X-Tenant': ['acme', 'other'] } } },
    { http_x_tenant: 'acme' },
  ])('finds a header in %j', (line) => {
    expect(read({ time: MOMENT, ...line }, { by: 'header:x-tenant' })).toMatchObject({
      identifier: 'x-tenant:acme',
    });
  });

  it.each([
    ['{"time":', 'is not a JSON object'],
    ['[1]', 'is not a JSON object'],
    ['null', 'is not a JSON object'],
    [{ time: 'soon' }, 'has a time that can not be read'],
    [{ time: MOMENT, cost: 0.5 }, 'has a cost that is no whole number'],
    [{ time: MOMENT, cost: 0 }, 'has a cost that is no whole number'],
  ])('says what is wrong with %j', (line, reason) => {
    expect(read(line)).toBe(reason);
  });

  it('says which times it looks for', () => {
    expect(read({ when: 1 })).toMatch(/^has no time \(time, timestamp, /);
    expect(read({ when: 1 }, { fields: 'time=at' })).toBe('has no time (at)');
  });
});

describe('readFieldNames', () => {
  it.each(['', 'time', 'time=', 'colour=x', 'toString=x'])('refuses %j', (text) => {
    expect(() => readFieldNames(text)).toThrow(RangeError);
  });
});
