import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Algorithm } from '../../../../gen/optix/ratelimit/v1/limit_pb.ts';
import { failure, fieldsOf, reasonOf } from '../../../../testing/failure.ts';
import { TRANSPORTS } from '../../../../testing/services.ts';
import { STORES, someone, startTestLimiter, type TestLimiter } from './testing-limiter.ts';

describe.each(STORES)('PeekLimit, counting in $store', ({ source, env }) => {
  let limiter: TestLimiter;
  beforeAll(async () => {
    limiter = await startTestLimiter(env());
  });
  afterAll(async () => {
    await limiter[Symbol.asyncDispose]();
  });

  describe.each(TRANSPORTS)('over %s', (transport) => {
    const client = () => limiter.client(transport);

    it('tells what a check would be answered, and counts nothing', async () => {
      const check = { endpoint: 'auth_login', identifier: someone(), cost: 2 };
      for (let times = 0; times < 3; times += 1) {
        const { decision } = await client().peekLimit({ check });
        expect(decision).toMatchObject({ allowed: true, limit: 5, remaining: 5, source });
      }
      expect(await client().checkLimit(check)).toMatchObject({ allowed: true, remaining: 3 });
      await client().checkLimit(check);
      const { decision } = await client().peekLimit({ check });
      expect(decision).toMatchObject({ allowed: false, remaining: 1 });
      expect(Number(decision?.retryAfter?.seconds)).toBeGreaterThan(50);
    });

    it('lists every limit, also where there is only one', async () => {
      const identifier = someone();
      const { decision } = await client().peekLimit({ check: { endpoint: 'auth_login', identifier } });
      expect(decision?.limits).toMatchObject([
        {
          rule: 'auth_login',
          limitName: '',
          endpoint: 'auth_login',
          identifier,
          algorithm: Algorithm.SLIDING_WINDOW_LOG,
          allowed: true,
          shadow: false,
          limit: 5,
          remaining: 5,
          burst: 5,
        },
      ]);
    });

    it('lists the limits of all keys', async () => {
      const [identifier, address] = [someone(), 'ip:203.0.113.9'];
      const also = [{ endpoint: 'auth_register', identifier: address }];
      const { decision } = await client().peekLimit({ check: { endpoint: 'auth_login', identifier, also } });
      expect(decision?.limits.map((status) => [status.rule, status.identifier])).toEqual([
        ['auth_login', identifier],
        ['auth_register', address],
      ]);
    });

    it.each([
      ['no check', {}, ['check']],
      ['a check out of bounds', { check: { endpoint: '', identifier: 'x' } }, ['check.endpoint']],
    ])('refuses %s, naming the field', async (_, request, fields) => {
      const error = await failure(client().peekLimit(request));
      expect(error.code).toBe(Code.InvalidArgument);
      expect(fieldsOf(error)).toEqual(fields);
    });

    it('refuses a cost that could never be allowed', async () => {
      const check = { endpoint: 'auth_login', identifier: someone(), cost: 6 };
      expect(reasonOf(await failure(client().peekLimit({ check })))).toBe('COST_EXCEEDS_LIMIT');
    });
  });
});
