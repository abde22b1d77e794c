import { Code, ConnectError } from '@connectrpc/connect';
import { afterEach, expect, test, vi } from 'vitest';
import { rpcError } from '../../runtime/errors.ts';
import { refusalText } from './refusal-text.ts';

afterEach(() => vi.unstubAllEnvs());

test('a service that is not there: where it was looked for', () => {
  const error = new ConnectError('no connection\n  refused', Code.Unavailable);
  expect(refusalText(error, '127.0.0.1:1')).toBe(
    '[unavailable] no connection refused: is the service running, and at 127.0.0.1:1 (--address, --tls)?',
  );
});

test('a connection that fails: what the network said, once', () => {
  const layers =
    'round_robin: No connection established. Last error: No connection established. Last error: ';
  const refused = `${layers}Error: connect ECONNREFUSED 127.0.0.1:1. Resolution note: `;
  expect(refusalText(new ConnectError(refused, Code.Unavailable), '127.0.0.1:1')).toBe(
    '[unavailable] connect ECONNREFUSED 127.0.0.1:1: is the service running, and at 127.0.0.1:1 (--address, --tls)?',
  );
});

test('a service whose store is away speaks for itself', () => {
  const facts = { message: 'the store is away', reason: 'STORE_UNAVAILABLE', domain: 'ratelimit.optix' };
  expect(refusalText(rpcError(Code.Unavailable, facts), '127.0.0.1:1')).toBe(
    '[unavailable] the store is away',
  );
});

test('a key that is missing, or wrong, without the key', () => {
  const error = new ConnectError('who are you', Code.Unauthenticated);
  vi.stubEnv('OPTIX_API_KEY', ' ');
  expect(refusalText(error, 'a:1')).toMatch(/: set OPTIX_API_KEY to an API key of the service$/);
  vi.stubEnv('OPTIX_API_KEY', 'hush');
  expect(refusalText(error, 'a:1')).toBe('[unauthenticated] who are you: check OPTIX_API_KEY');
});

test('any other refusal is told as it is', () => {
  const error = new ConnectError('id must be a UUID', Code.InvalidArgument);
  expect(refusalText(error, 'a:1')).toBe('[invalid_argument] id must be a UUID');
});
