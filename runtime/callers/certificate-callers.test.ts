import { describe, expect, it } from 'vitest';
import type { ClientCertificate } from '../client-certificate.ts';
import type { Caller } from './caller.ts';
import { CertificateCallers } from './certificate-callers.ts';

const caller = (name: string): Caller => ({ name, scopes: new Set(), credential: 'certificate' });
const [gateway, orders, ops, batch] = ['gateway', 'orders', 'ops', 'batch'].map(caller) as [
  Caller,
  Caller,
  Caller,
  Caller,
];
const callers = new CertificateCallers();
callers.add({ kind: 'uri', value: 'spiffe://example/gateway' }, gateway);
callers.add({ kind: 'dns', value: 'gateway.example' }, gateway);
callers.add({ kind: 'dns', value: 'Orders.Example' }, orders);
callers.add({ kind: 'common_name', value: 'ops' }, ops);
callers.add({ kind: 'sha256', value: 'AB'.repeat(32) }, batch);

const certificate = (facts: Partial<ClientCertificate>): ClientCertificate => ({
  fingerprint256: '0'.repeat(64),
  commonName: null,
  dnsNames: [],
  uris: [],
  endsAt: Date.now() + 60_000,
  ...facts,
});

describe('a verified certificate', () => {
  it.each([
    ['its URI', { uris: ['spiffe://example/gateway'] }, 'gateway'],
    ['one of its DNS names, whatever the case', { dnsNames: ['x', 'orders.EXAMPLE'] }, 'orders'],
    ['its common name', { commonName: 'ops' }, 'ops'],
    ['its fingerprint', { fingerprint256: 'ab'.repeat(32) }, 'batch'],
    [
      'two names of one caller',
      { uris: ['spiffe://example/gateway'], dnsNames: ['gateway.example'] },
      'gateway',
    ],
  ])('is known by %s', (_, facts, name) => {
    expect(callers.find(certificate(facts))?.name).toBe(name);
  });

  it.each([
    ['no name at all', {}],
    ['a URI of another case', { uris: ['spiffe://example/Gateway'] }],
    ['a longer URI', { uris: ['spiffe://example/gateway/x'] }],
    ['a name in the wrong place', { commonName: 'gateway.example', dnsNames: ['ops'], uris: ['ops'] }],
    ['a wildcard', { dnsNames: ['*.example'] }],
    ['the names of two callers', { commonName: 'ops', dnsNames: ['orders.example'] }],
    ['an end that has come since its connection was made', { commonName: 'ops', endsAt: Date.now() }],
    ['an end that is none', { commonName: 'ops', endsAt: Number.NaN }],
  ])("is nobody's with %s", (_, facts) => {
    expect(callers.find(certificate(facts))).toBeUndefined();
  });
});
