import { create } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
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
  #outcome = Promise.withResolvers<readonly number[] | undefined>();

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

  /** Ends well. */
  end(): void {
    this.#outcome.resolve(undefined);
  }

  async *answers() {
    for (;;) {
      const ids = await this.#outcome.promise;
      if (ids === undefined) return;
      const value = create(CheckLimitResponseSchema, { allowed: true });
      yield create(StreamCheckLimitsResponseSchema, {
        items: ids.map((id) => ({ id, outcome: { case: 'decision' as const, value } })),
      });
    }
  }
}

function lane({ silentMs = 10_000, maxStreamMs = 60_000 } = {}) {
  const streams: Opened[] = [];
  const failures: (readonly [code: Code, silent: boolean])[] = [];
  const of = new CheckLane({
    open(requests, signal) {
      const opened = new Opened(requests, signal);
      streams.push(opened);
      return opened.answers();
    },
    ...{ silentMs, maxStreamMs },
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

describe('a stream that the service ends well', () => {
  it('leaves what was not answered on it to the next, in order, before what came later', async () => {
    const { ask, stream, streams, failures } = lane();
    const all = ['answered', 'read', 'sent'].map((identifier) => ask(identifier));
    const first = await stream(0);
    const ids = await first.read();
    first.allow([ids.get('answered') as number]);
    await all[0];
    all.push(ask('waiting'));
    first.end();
    const second = await stream(1);
    const message = await second.read();
    expect([...message.keys()]).toEqual(['read', 'sent', 'waiting']);
    second.allow(message.values());
    expect((await Promise.all(all)).every(({ allowed }) => allowed)).toBe(true);
    expect([streams.length, failures]).toEqual([2, []]);
  });

  it('may do so before it gave an answer, but not always', async () => {
    const { ask, stream, streams, failures } = lane();
    const check = ask('patient');
    for (const index of [0, 1, 2]) {
      const opened = await stream(index);
      expect([...(await opened.read()).keys()]).toEqual(['patient']);
      opened.end();
    }
    await expect.poll(() => failures).toEqual([[Code.Unavailable, false]]);
    expect(streams.length).toBe(3);
    // It was asked of none, so the failure is told at once.
    expect((await failure(check)).code).toBe(Code.Unavailable);
  });
});

describe('a stream that has been open for long', () => {
  it('is followed by another, and still answers what it was sent', async () => {
    const { ask, stream, failures } = lane({ maxStreamMs: 60 });
    const former = ask('former');
    const first = await stream(0);
    const sent = await first.read();
    await new Promise((resolve) => setTimeout(resolve, 80));
    const later = ask('later');
    const second = await stream(1);
    second.allow((await second.read()).values());
    await later;
    first.allow(sent.values());
    expect((await former).allowed).toBe(true);
    expect(await first.requests.next()).toMatchObject({ done: true });
    expect(failures).toEqual([]);
  });

  it('is given up with the others where the service fell silent', async () => {
    const { ask, stream } = lane({ maxStreamMs: 20, silentMs: 150 });
    const former = ask('former', 1_000);
    const first = await stream(0);
    await first.read();
    await new Promise((resolve) => setTimeout(resolve, 40));
    const later = ask('later', 160);
    expect((await failure(later)).code).toBe(Code.DeadlineExceeded);
    expect((await failure(former)).code).toBe(Code.Unavailable);
    expect(first.signal.aborted).toBe(true);
  });
});

it('a service that is asked more than it can answer still answers as much as it can, and in time', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { ask, streams } = lane({ silentMs: 200 });
  let inTime = 0;
  const count = () => {
    inTime += 1;
  };
  const queue: number[] = [];
  const read = async ({ requests }: Opened) => {
    for (;;) {
      const { value, done } = await requests.next();
      if (done === true) return;
      queue.push(...value.items.map(({ id }: { readonly id: number }) => id));
    }
  };
  // Two seconds: 20 checks a millisecond, of which the service answers 5, in order.
  for (let ms = 0; ms < 2_000; ms += 1) {
    for (let turn = 0; turn < 20; turn += 1) ask(`${ms}/${turn}`, 200).then(count, () => undefined);
    await vi.advanceTimersByTimeAsync(1);
    const [opened] = streams;
    if (ms === 0 && opened !== undefined) void read(opened);
    if (ms % 5 === 4) opened?.allow(queue.splice(0, 25));
  }
  // It can answer 10,000; the first 4,000 are under way before the first late answer shows that they are too many. Where
  // nothing bounded them, the answers to all later ones would be late too: 1,325 would be in time.
  expect(streams.length).toBe(1);
  expect(inTime).toBeGreaterThan(5_000);
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
