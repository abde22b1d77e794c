import { create } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  CheckLimitResponseSchema,
  type StreamCheckLimitsRequest,
  StreamCheckLimitsResponseSchema,
} from '../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { failure } from '../../testing/failure.ts';
import { CheckLane } from './check-lane.ts';
import { checkMessage } from './check-message.ts';

/** One stream that the lane opened: the test reads from it and decides what becomes of it. */
class Opened {
  readonly requests: AsyncIterator<StreamCheckLimitsRequest>;
  readonly signal: AbortSignal;
  #outcome = Promise.withResolvers<readonly number[]>();

  constructor(requests: AsyncIterable<StreamCheckLimitsRequest>, signal: AbortSignal) {
    this.requests = requests[Symbol.asyncIterator]();
    this.signal = signal;
    signal.addEventListener('abort', () => this.fail(new ConnectError('canceled', Code.Canceled)));
  }

  /** The identifiers of the next message, and their ids. */
  async read(): Promise<ReadonlyMap<string, number>> {
    const { value } = await this.requests.next();
    const { items } = value as StreamCheckLimitsRequest;
    return new Map(items.map(({ id, check }) => [check?.identifier ?? '', id]));
  }

  allow(ids: Iterable<number>): void {
    const outcome = this.#outcome;
    this.#outcome = Promise.withResolvers();
    outcome.resolve([...ids]);
  }

  fail(error: Error): void {
    this.#outcome.reject(error);
  }

  async *answers() {
    for (;;) {
      const ids = await this.#outcome.promise;
      const value = create(CheckLimitResponseSchema, { allowed: true });
      yield create(StreamCheckLimitsResponseSchema, {
        items: ids.map((id) => ({ id, outcome: { case: 'decision' as const, value } })),
      });
    }
  }
}

function lane({ silentMs = 10_000 } = {}) {
  const streams: Opened[] = [];
  const failures: (readonly [code: Code, silent: boolean])[] = [];
  const of = new CheckLane({
    open(requests, signal) {
      const opened = new Opened(requests, signal);
      streams.push(opened);
      return opened.answers();
    },
    ...{ silentMs, idleMs: 60_000 },
    onAnswers: () => undefined,
    onFailure: ({ code }, silent) => failures.push([code, silent]),
  });
  onTestFinished(() => of[Symbol.dispose]());
  const ask = (identifier: string, timeoutMs = 5_000) => {
    const answer = of.ask(checkMessage({ endpoint: 'orders', identifier }), timeoutMs, undefined);
    // Looked at later.
    answer.catch(() => undefined);
    return answer;
  };
  const stream = async (index: number): Promise<Opened> => {
    await expect.poll(() => streams.length, { interval: 1 }).toBeGreaterThan(index);
    return streams[index] as Opened;
  };
  return { ask, stream, streams, failures };
}

const LOST = new ConnectError('connection dropped', Code.Internal);

describe('a stream that is lost', () => {
  it('fails what was sent on it; what was not goes out on the next', async () => {
    const { ask, stream, streams, failures } = lane();
    const answered = ask('answered');
    const first = await stream(0);
    first.allow((await first.read()).values());
    expect((await answered).allowed).toBe(true);
    const sent = ask('sent');
    await first.read();
    const waiting = ask('waiting');
    first.fail(LOST);
    expect(await failure(sent)).toMatchObject({ code: Code.Unavailable, cause: LOST });
    const second = await stream(1);
    const message = await second.read();
    expect([...message.keys()]).toEqual(['waiting']);
    second.allow(message.values());
    expect((await waiting).allowed).toBe(true);
    expect([streams.length, failures]).toEqual([2, []]);
  });

  it.each([
    ['before it gave an answer is a failed service', LOST, Code.Unavailable],
    [
      'by a refusal is the refusal',
      new ConnectError('who are you?', Code.Unauthenticated),
      Code.Unauthenticated,
    ],
  ])('%s: all fails, and nothing opens another', async (_, error, code) => {
    const { ask, stream, streams, failures } = lane();
    const sent = ask('sent');
    const first = await stream(0);
    await first.read();
    const waiting = ask('waiting');
    first.fail(error);
    expect([(await failure(sent)).code, (await failure(waiting)).code]).toEqual([code, code]);
    expect([streams.length, failures]).toEqual([1, [[code, false]]]);
  });
});

describe('a check whose time has run out', () => {
  it('is not sent any more where it was still waiting', async () => {
    const { ask, stream } = lane();
    ask('first');
    const first = await stream(0);
    await first.read();
    expect((await failure(ask('late', 20))).code).toBe(Code.DeadlineExceeded);
    ask('next');
    expect([...(await first.read()).keys()]).toEqual(['next']);
  });

  it('is late by itself while others are answered', async () => {
    const { ask, stream, failures } = lane({ silentMs: 200 });
    const late = ask('late', 200);
    const first = await stream(0);
    await first.read();
    const answered = ask('answered', 1_000);
    await new Promise((resolve) => setTimeout(resolve, 100));
    first.allow((await first.read()).values());
    await answered;
    expect((await failure(late)).code).toBe(Code.DeadlineExceeded);
    expect(failures).toEqual([]);
  });

  it('shows a silent service where nothing at all was heard: the stream is given up with all that is on it', async () => {
    const { ask, stream, failures } = lane({ silentMs: 100 });
    const checks = [ask('short', 100), ask('long')];
    const first = await stream(0);
    await first.read();
    const waiting = ask('waiting');
    const codes = await Promise.all([...checks, waiting].map(async (check) => (await failure(check)).code));
    expect(codes).toEqual([Code.DeadlineExceeded, Code.Unavailable, Code.Unavailable]);
    expect([first.signal.aborted, failures]).toEqual([true, [[Code.Unavailable, true]]]);
  });
});
