import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Algorithm } from '../../../../gen/optix/ratelimit/v1/limit_pb.ts';
import { failure, fieldsOf, reasonOf } from '../../../../testing/failure.ts';
import { TRANSPORTS } from '../../../../testing/services.ts';
import { STORES, someone, startTestLimiter, type TestLimiter } from './testing-limiter.ts';

describe.each(STORES)('BatchCheckLimits, counting in $store', ({ source, env }) => {
  let limiter: TestLimiter;
  beforeAll(async () => {
    limiter = await startTestLimiter(env());
  });
  afterAll(async () => {
    await limiter[Symbol.asyncDispose]();
  });

  describe.each(TRANSPORTS)('over %s', (transport) => {
    const client = () => limiter.client(transport);

    it('decides each check by itself, in order', async () => {
      const [identifier, other] = [someone(), someone()];
      const checks = Array.from({ length: 7 }, () => ({ endpoint: 'auth_login', identifier }));
      checks.splice(3, 0, { endpoint: 'auth_mfa', identifier: other });
      const { decisions, allAllowed } = await client().batchCheckLimits({ checks });
      expect(decisions.map(({ allowed, remaining }) => [allowed, remaining])).toEqual([
        [true, 4],
        [true, 3],
        [true, 2],
        [true, 4],
        [true, 1],
        [true, 0],
        [false, 0],
        [false, 0],
      ]);
      expect(decisions[0]).toMatchObject({ rule: 'auth_login', limit: 5, source });
      expect(decisions[3]).toMatchObject({ rule: 'auth_mfa', limit: 5, source });
      expect(allAllowed).toBe(false);
    });

    it('takes a thousand checks', async () => {
      const identifier = someone();
      const checks = Array.from({ length: 1000 }, () => ({ endpoint: 'orders', identifier }));
      const { decisions } = await client().batchCheckLimits({ checks });
      expect(decisions.map(({ allowed }) => allowed)).toEqual([
        ...Array<boolean>(100).fill(true),
        ...Array<boolean>(900).fill(false),
      ]);
    });

    it.each([
      ['no check', [], ['checks']],
      ['more than a thousand', Array(1001).fill({ endpoint: 'e', identifier: 'i' }), ['checks']],
      [
        'checks out of bounds',
        [
          { endpoint: 'auth_login', identifier: 'x' },
          { endpoint: 'a b', identifier: '' },
        ],
        ['checks[1].endpoint', 'checks[1].identifier'],
      ],
      [
        'a further key out of bounds',
        [{ endpoint: 'auth_login', identifier: 'x', also: [{ identifier: 'y' }, { endpoint: '{}' }] }],
        ['checks[0].also[1].endpoint', 'checks[0].also[1].identifier'],
      ],
    ])('refuses %s, naming the field', async (_, checks, fields) => {
      const error = await failure(client().batchCheckLimits({ checks }));
      expect(error.code).toBe(Code.InvalidArgument);
      expect(fieldsOf(error)).toEqual(fields);
    });

    it.each([false, true])(
      'counts nothing where one check can never pass (all or nothing: %s)',
      async (allOrNothing) => {
        const identifier = someone();
        const checks = [1, 6].map((cost) => ({ endpoint: 'auth_login', identifier, cost }));
        const error = await failure(client().batchCheckLimits({ checks, allOrNothing }));
        expect(error.code).toBe(Code.InvalidArgument);
        expect(reasonOf(error)).toBe('COST_EXCEEDS_LIMIT');
        expect(fieldsOf(error)).toEqual(['checks[1].cost']);
        const { remaining } = await client().checkLimit({ endpoint: 'auth_login', identifier });
        expect(remaining).toBe(4);
      },
    );

    it('counts all or nothing where that is asked for', async () => {
      const [full, free] = [someone(), someone()];
      const both = [
        { endpoint: 'auth_login', identifier: free, cost: 2 },
        { endpoint: 'auth_login', identifier: full, cost: 3 },
      ];
      const first = await client().batchCheckLimits({ checks: both, allOrNothing: true });
      expect(first.allAllowed).toBe(true);
      expect(first.decisions.map(({ remaining }) => remaining)).toEqual([3, 2]);

      const second = await client().batchCheckLimits({ checks: both, allOrNothing: true });
      expect(second.allAllowed).toBe(false);
      expect(second.decisions.map(({ allowed }) => allowed)).toEqual([false, false]);
      const { remaining } = await client().checkLimit({ endpoint: 'auth_login', identifier: free });
      expect(remaining).toBe(2);
    });

    it('gives one receipt for the whole, which gives all of it back', async () => {
      const checks = [someone(), someone()].map((identifier) => ({
        endpoint: 'auth_login',
        identifier,
        cost: 5,
        refundable: true,
      }));
      const { receipt, decisions } = await client().batchCheckLimits({ checks, allOrNothing: true });
      expect(receipt).not.toBe('');
      expect(decisions.map((decision) => decision.receipt)).toEqual(['', '']);
      expect((await client().refundLimit({ receipt })).refunded).toBe(true);
      const again = await client().batchCheckLimits({ checks, allOrNothing: true });
      expect(again.allAllowed).toBe(true);
    });

    it('puts checks of one key together where they are decided together', async () => {
      const identifier = someone();
      const checks = [2, 3].map((cost) => ({ endpoint: 'auth_login', identifier, cost }));
      const { decisions } = await client().batchCheckLimits({ checks, allOrNothing: true });
      expect(decisions.map(({ allowed, remaining }) => [allowed, remaining])).toEqual([
        [true, 0],
        [true, 0],
      ]);
    });
  });

  it('refuses a decision over more limits than one script may take', async () => {
    const limits = Array.from({ length: 3 }, (_, at) => ({
      name: `n${at}`,
      algorithm: Algorithm.FIXED_WINDOW,
      limit: 10,
      window: { seconds: 60n },
    }));
    const endpoint = await limiter.rule(limits);
    const checks = Array.from({ length: 667 }, () => ({ endpoint, identifier: someone() }));
    const error = await failure(limiter.client().batchCheckLimits({ checks, allOrNothing: true }));
    expect(error.code).toBe(Code.InvalidArgument);
    expect(reasonOf(error)).toBe('TOO_MANY_LIMITS');
    const { allAllowed } = await limiter
      .client()
      .batchCheckLimits({ checks: checks.slice(0, 666), allOrNothing: true });
    expect(allAllowed).toBe(true);
  });

  it('never counts more than the limit to batches at once, and leaves nothing unused', async () => {
    const identifier = someone();
    const checks = Array.from({ length: 20 }, () => ({ endpoint: 'orders', identifier }));
    const answers = await Promise.all(
      Array.from({ length: 12 }, async (_, at) => {
        return await limiter.client(TRANSPORTS[at % 2]).batchCheckLimits({ checks });
      }),
    );
    const allowed = answers.flatMap(({ decisions }) => decisions.filter((decision) => decision.allowed));
    expect(allowed).toHaveLength(100);
  });
});
