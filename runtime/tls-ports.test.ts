import { Code, ConnectError } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClientTls } from '../clients/grpc/tls-credentials.ts';
import {
  clientTls,
  echoClient,
  makeTestCertificates,
  removeTestCertificates,
  startTlsPorts,
  TLS_TRANSPORTS,
  type TlsPorts,
} from './tls-testing-ports.ts';

beforeAll(makeTestCertificates);
afterAll(removeTestCertificates);

async function certificateSeen(ports: TlsPorts, name: (typeof TLS_TRANSPORTS)[number], options: ClientTls) {
  const { text } = await echoClient(ports, name, options).echo({});
  return JSON.parse(text) as unknown;
}

async function refusal(
  ports: TlsPorts,
  name: (typeof TLS_TRANSPORTS)[number],
  options: ClientTls,
): Promise<Code> {
  const error = await echoClient(ports, name, options)
    .echo({})
    .then(
      () => undefined,
      (reason) => ConnectError.from(reason),
    );
  if (error === undefined) throw new Error('it was let in');
  return error.code;
}

const gateway = {
  fingerprint256: expect.stringMatching(/^[0-9a-f]{64}$/),
  commonName: 'gateway',
  dnsNames: ['gateway.example'],
  uris: ['spiffe://example/gateway'],
  endsAt: expect.any(Number),
};
/** What clients make of a connection that is closed on them. */
const REFUSED = [Code.Unavailable, Code.Aborted, Code.Canceled, Code.Internal];

describe.each(TLS_TRANSPORTS)('over %s', (transport) => {
  it('asks for no certificate unless told', async () => {
    const ports = await startTlsPorts();
    expect(await certificateSeen(ports, transport, clientTls(undefined))).toBeNull();
    expect(await certificateSeen(ports, transport, clientTls('gateway'))).toBeNull();
  });

  it('is refused by a client that does not trust the certificate', async () => {
    const ports = await startTlsPorts();
    expect(REFUSED).toContain(await refusal(ports, transport, clientTls(undefined, 'stranger')));
  });

  it.each(['required', 'optional'] as const)(
    'tells handlers of a %s certificate, for each call',
    async (clientAuth) => {
      const ports = await startTlsPorts({ clientAuth });
      const client = echoClient(ports, transport, clientTls('gateway'));
      for (let times = 0; times < 3; times++)
        expect(JSON.parse((await client.echo({})).text)).toEqual(gateway);
    },
  );

  it('may go without an optional certificate', async () => {
    const ports = await startTlsPorts({ clientAuth: 'optional' });
    expect(await certificateSeen(ports, transport, clientTls(undefined))).toBeNull();
  });

  it.each([
    ['required', undefined],
    ['required', 'strange'],
    ['required', 'ended'],
    ['optional', 'strange'],
    ['optional', 'ended'],
  ] as const)('is cut off where a certificate is %s and it shows %s', async (clientAuth, certificate) => {
    const ports = await startTlsPorts({ clientAuth });
    expect(REFUSED).toContain(await refusal(ports, transport, clientTls(certificate)));
    expect(ports.calls()).toBe(0);
  });
});
