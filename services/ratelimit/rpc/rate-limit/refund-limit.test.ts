import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Algorithm } from '../../../../gen/optix/ratelimit/v1/limit_pb.ts';
import { failure, fieldsOf, reasonOf } from '../../../../testing/failure.ts';
import { TRANSPORTS } from '../../../../testing/services.ts';
import { STORES, someone, startTestLimiter, type TestLimiter } from './testing-limiter.ts';

describe.each(STORES)('RefundLimit, counting in $store', ({ env }) => {
  let limiter: TestLimiter;
  beforeAll(async () => {
    limiter = await startTestLimiter(env());
  });
  afterAll(async () => {
    await limiter[Symbol.asyncDispose]();
  });

  describe.each(TRANSPORTS)('over %s', (transport) => {
    const client = () => limiter.client(transport);

    it('gives back what a check took, once', async () => {
      const check = { endpoint: 'auth_login', identifier: someone(), cost: 3, refundable: true };
      const { receipt, remaining } = await client().checkLimit(check);
      expect(remaining).toBe(2);
      expect((await client().refundLimit({ receipt })).refunded).toBe(true);
      expect((await client().refundLimit({ receipt })).refunded).toBe(false);
      const { decision } = await client().peekLimit({ check });
      expect(decision?.remaining).toBe(5);
    });

    it('gives back what was taken of several keys', async () => {
      const [identifier, address] = [someone(), someone()];
      const also = [{ endpoint: 'auth_register', identifier: address }];
      const check = { endpoint: 'auth_login', identifier, also, refundable: true };
      const { receipt } = await client().checkLimit(check);
      expect((await client().refundLimit({ receipt })).refunded).toBe(true);
      const { decision } = await client().peekLimit({ check });
      expect(decision?.limits.map(({ remaining }) => remaining)).toEqual([5, 3]);
    });

    it('lets a denied caller in at once', async () => {
      const check = { endpoint: 'auth_login', identifier: someone(), cost: 5, refundable: true };
      const { receipt } = await client().checkLimit(check);
      expect(await client().checkLimit(check)).toMatchObject({ allowed: false, receipt: '' });
      expect((await client().refundLimit({ receipt })).refunded).toBe(true);
      expect((await client().checkLimit(check)).allowed).toBe(true);
    });

    it('gives a receipt to those who ask for one, where something was taken', async () => {
      const check = { endpoint: 'auth_login', identifier: someone(), refundable: true };
      expect((await client().checkLimit({ ...check, refundable: false })).receipt).toBe('');
      expect((await client().checkLimit({ ...check, roles: ['admin'] })).receipt).toBe('');
      expect((await client().checkLimit(check)).receipt).not.toBe('');
    });

    it.each(['', 'no receipt', 'W10', Buffer.from('["x",0,[["a","b","",1]]]').toString('base64url')])(
      'refuses %j, which is no receipt',
      async (receipt) => {
        for (const call of [client().refundLimit({ receipt }), client().renewLease({ receipt })]) {
          const error = await failure(call);
          expect(error.code).toBe(Code.InvalidArgument);
          expect(fieldsOf(error)).toEqual(['receipt']);
        }
      },
    );
  });

  it('gives back once, however many ask at the same time', async () => {
    const check = { endpoint: 'orders', identifier: someone(), cost: 10, refundable: true };
    const { receipt } = await limiter.client().checkLimit(check);
    const answers = await Promise.all(
      Array.from({ length: 16 }, async (_, at) => {
        return await limiter.client(TRANSPORTS[at % 2]).refundLimit({ receipt });
      }),
    );
    expect(answers.filter(({ refunded }) => refunded)).toHaveLength(1);
    expect((await limiter.client().checkLimit(check)).remaining).toBe(90);
  });

  describe('of a CONCURRENCY limit', () => {
    const leaseSeconds = 2;
    let endpoint: string;
    beforeAll(async () => {
      const window = { seconds: BigInt(leaseSeconds) };
      endpoint = await limiter.rule([{ algorithm: Algorithm.CONCURRENCY, limit: 2, window }]);
    });

    it('ends the lease: the next operation may begin', async () => {
      const check = { endpoint, identifier: someone() };
      const held = await limiter.client().checkLimit(check);
      expect(held).toMatchObject({ allowed: true, remaining: 1, algorithm: Algorithm.CONCURRENCY });
      expect(held.receipt).not.toBe('');
      await limiter.client().checkLimit(check);
      expect((await limiter.client().checkLimit(check)).allowed).toBe(false);
      expect((await limiter.client().refundLimit({ receipt: held.receipt })).refunded).toBe(true);
      expect((await limiter.client().checkLimit(check)).allowed).toBe(true);
    });

    it('a lease ends by itself, but RenewLease lets it go on', async () => {
      const check = { endpoint, identifier: someone() };
      const renewed = await limiter.client().checkLimit(check);
      const left = await limiter.client().checkLimit(check);
      const deadline = Date.now() + leaseSeconds * 1000 + 500;
      while (Date.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, 300));
        const { expireTime } = await limiter.client().renewLease({ receipt: renewed.receipt });
        const expireMs = Number(expireTime?.seconds) * 1000 + Number(expireTime?.nanos) / 1e6;
        expect(expireMs - Date.now()).toBeGreaterThan(leaseSeconds * 1000 - 300);
        expect(expireMs - Date.now()).toBeLessThanOrEqual(leaseSeconds * 1000 + 50);
      }
      const { decision } = await limiter.client().peekLimit({ check });
      expect(decision?.remaining).toBe(1);

      const error = await failure(limiter.client().renewLease({ receipt: left.receipt }));
      expect(error.code).toBe(Code.NotFound);
      expect(reasonOf(error)).toBe('LEASE_ENDED');
    });

    it('a receipt without a lease can not be renewed', async () => {
      const { receipt } = await limiter
        .client()
        .checkLimit({ endpoint: 'auth_login', identifier: someone(), refundable: true });
      const error = await failure(limiter.client().renewLease({ receipt }));
      expect(error.code).toBe(Code.NotFound);
    });
  });
});
