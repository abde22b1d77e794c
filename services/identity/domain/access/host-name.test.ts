import { expect, it } from 'vitest';
import { hostName } from './host-name.ts';

it.each([
  ['api.example.com', 'api.example.com'],
  ['API.Example.COM:8443', 'api.example.com'],
  ['api.example.com.', 'api.example.com'],
  ['api.example.com.:443', 'api.example.com'],
  ['[2001:DB8::1]:443', '[2001:db8::1]'],
  ['[::1]', '[::1]'],
  ['localhost:', 'localhost'],
  ['', ''],
  [':443', ''],
  ['user@api.example.com', ''],
  ['api.example.com/x', ''],
  ['a b', ''],
  ['2001:db8::1', ''],
  ['api.example.com:http', ''],
])('%j is the host %j', (authority, host) => {
  expect(hostName(authority)).toBe(host);
});
