import { create } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { expect, it } from 'vitest';
import { StatusSchema } from '../../gen/google/rpc/status_pb.ts';
import {
  CheckLimitResponseSchema,
  type StreamCheckLimitsRequest,
  type StreamCheckLimitsResponse,
  type StreamCheckLimitsResponse_Item,
  StreamCheckLimitsResponseSchema,
} from '../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { failure } from '../../testing/failure.ts';
import { checkMessage } from './check-message.ts';
import { CheckStream } from './check-stream.ts';
import { OpenCheck } from './open-check.ts';

type Outcome = StreamCheckLimitsResponse_Item['outcome'];

const allowed = (remaining = 0): Outcome => ({
  case: 'decision',
  value: create(CheckLimitResponseSchema, { allowed: true, remaining }),
});

/** A stream whose other end is the test: it reads messages when it likes, and answers what it likes. */
function stream(ids?: number) {
  const queue: OpenCheck[] = [];
  const answers: StreamCheckLimitsResponse[] = [];
  let wake: (() => void) | undefined;
  let over: Error | 'end' | undefined;
  let source: AsyncIterator<StreamCheckLimitsRequest> | undefined;
  const ended = Promise.withResolvers<unknown>();
  const of = new CheckStream({
    async *open(requests) {
      source = requests[Symbol.asyncIterator]();
      for (;;) {
        const next = answers.shift();
        if (next !== undefined) yield next;
        else if (over !== undefined) {
          if (over === 'end') return;
          throw over;
        } else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    },
    take: () => queue.splice(0, 1_000),
    onAnswers: () => undefined,
    onEnd: (_, error) => ended.resolve(error),
    ...(ids === undefined ? {} : { ids }),
  });
  return {
    of,
    ended: ended.promise,
    ask(identifier: string): OpenCheck {
      const check = new OpenCheck(checkMessage({ endpoint: 'orders', identifier }), {
        ...{ timeoutMs: 5_000, signal: undefined },
        ...{ onSettled: () => undefined, onTimeout: () => undefined },
      });
      queue.push(check);
      return check;
    },
    async read(): Promise<StreamCheckLimitsRequest['items'] | undefined> {
      of.wake();
      const next = await source?.next();
      return next?.done === false ? next.value.items : undefined;
    },
    answer(...items: readonly [id: number, outcome: Outcome][]): void {
      const message = create(StreamCheckLimitsResponseSchema);
      message.items = items.map(([id, outcome]) => {
        return { $typeName: 'optix.ratelimit.v1.StreamCheckLimitsResponse.Item', id, outcome };
      });
      answers.push(message);
      wake?.();
    },
    end(how: Error | 'end'): void {
      over = how;
      wake?.();
    },
  };
}

it('gives each check the answer with its id, in whatever order they come', async () => {
  const { ask, read, answer } = stream();
  const checks = ['a', 'b', 'c'].map(ask);
  const items = (await read()) ?? [];
  expect(items.map((item) => item.check?.identifier)).toEqual(['a', 'b', 'c']);
  const [a, b, c] = items.map(({ id }) => id) as [number, number, number];
  answer([c, allowed(3)], [a, allowed(1)]);
  answer([b, allowed(2)]);
  const remaining = await Promise.all(checks.map(async (check) => (await check.answer).remaining));
  expect(remaining).toEqual([1, 2, 3]);
});

it('tells of an error of one check with its details, and goes on', async () => {
  const { ask, read, answer } = stream();
  const [bad, good] = [ask('bad'), ask('good')];
  const [first, second] = ((await read()) ?? []).map(({ id }) => id) as [number, number];
  const value = create(StatusSchema, {
    ...{ code: Code.InvalidArgument, message: 'no' },
    details: [{ typeUrl: 'type.googleapis.com/x.Y', value: new Uint8Array([1]) }],
  });
  answer([first, { case: 'error', value }], [second, { case: undefined }]);
  expect(await failure(bad.answer)).toMatchObject({
    code: Code.InvalidArgument,
    details: [{ type: 'x.Y', value: new Uint8Array([1]) }],
  });
  expect((await failure(good.answer)).code).toBe(Code.Internal);
});

it('sends what came meanwhile in one message when the server reads on', async () => {
  const { ask, read } = stream();
  ask('first');
  expect((await read())?.length).toBe(1);
  for (let count = 0; count < 1_500; count += 1) ask(`user:${count}`);
  expect((await read())?.length).toBe(1_000);
  expect((await read())?.length).toBe(500);
});

it('begins its ids anew when there are no more, past those whose answers are to come', async () => {
  const { ask, read, answer } = stream(4);
  const checks = ['a', 'b', 'c'].map(ask);
  expect((await read())?.map(({ id }) => id)).toEqual([0, 1, 2]);
  answer([1, allowed(1)]);
  await checks[1]?.answer;
  const later = ['d', 'e'].map(ask);
  expect((await read())?.map(({ id }) => id)).toEqual([3, 1]);
  answer([0, allowed(10)], [1, allowed(11)], [2, allowed(12)], [3, allowed(13)]);
  const remaining = await Promise.all(
    [...checks, ...later].map(async (check) => (await check.answer).remaining),
  );
  expect(remaining).toEqual([10, 1, 12, 13, 11]);
});

it('does not take the late answer to a check that was given up for that of another', async () => {
  const { ask, read, answer } = stream();
  const given = ask('given up');
  const [first] = (await read()) ?? [];
  given.reject(new ConnectError('given up', Code.Canceled));
  const next = ask('next');
  const [second] = (await read()) ?? [];
  expect(second?.id).not.toBe(first?.id);
  answer([first?.id ?? 0, allowed(1)], [4_711, allowed(9)], [second?.id ?? 0, allowed(2)]);
  expect((await next.answer).remaining).toBe(2);
  expect((await failure(given.answer)).code).toBe(Code.Canceled);
});

it('sends what waits before it ends, and nothing more', async () => {
  const { of, ask, read, end, ended } = stream();
  ask('last');
  of.end();
  expect((await read())?.length).toBe(1);
  expect(await read()).toBeUndefined();
  end('end');
  expect(await ended).toBeUndefined();
});

it('ends with its error, and fails what was not answered as it is told to', async () => {
  const { of, ask, read, end, ended } = stream();
  const check = ask('a');
  await read();
  const broken = new Error('broken');
  end(broken);
  expect(await ended).toBe(broken);
  of.fail(new ConnectError('lost', Code.Unavailable));
  expect((await failure(check.answer)).code).toBe(Code.Unavailable);
});
