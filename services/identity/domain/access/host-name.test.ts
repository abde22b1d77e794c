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
  // What an upstream that makes a URL of it would read as another host.
  ['api.example.com?x', ''],
  ['api.example.com#.public.example.com', ''],
  ['api.example.com,public.example.com', ''],
  ['api.example.com;x', ''],
  ['api%2eexample.com', ''],
  ['äpi.example.com', ''],
  ['.example.com', ''],
  ['api..example.com', ''],
  ['api.example.com..', ''],
  ['10.0.0.1:80', '10.0.0.1'],
  ['my_service:80', 'my_service'],
  ['2001:db8::1', ''],
  ['api.example.com:http', ''],
])('%j is the host %j', (authority, host) => {
  expect(hostName(authority)).toBe(host);
});
