import { setImmediate as turn } from 'node:timers/promises';
import { create } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { describe, expect, it } from 'vitest';
import {
  type StreamCheckLimitsRequest,
  type StreamCheckLimitsRequest_Item,
  StreamCheckLimitsRequestSchema,
  type StreamCheckLimitsResponse_Item,
  StreamCheckLimitsResponse_ItemSchema,
} from '../../../../gen/optix/ratelimit/v1/rate_limit_service_pb.ts';
import { AnswerStream, MAX_KEYS_UNDER_WAY, MAX_UNDELIVERED } from './answer-stream.ts';

type Ask = (item: StreamCheckLimitsRequest_Item) => Promise<StreamCheckLimitsResponse_Item>;

function request(...ids: readonly number[]): StreamCheckLimitsRequest {
  return create(StreamCheckLimitsRequestSchema, { items: ids.map((id) => ({ id, check: {} })) });
}

function answerTo(id: number, limits = 0): StreamCheckLimitsResponse_Item {
  const value = { allowed: true, limits: Array.from({ length: limits }, () => ({})) };
  return create(StreamCheckLimitsResponse_ItemSchema, { id, outcome: { case: 'decision', value } });
}

/** Decides nothing until it is told to. */
class Decisions {
  readonly asked: number[] = [];
  readonly #open = new Map<number, PromiseWithResolvers<StreamCheckLimitsResponse_Item>>();

  readonly ask: Ask = ({ id }) => {
    this.asked.push(id);
    const decision = Promise.withResolvers<StreamCheckLimitsResponse_Item>();
    this.#open.set(id, decision);
    return decision.promise;
  };

  settle(...ids: readonly number[]): void {
    for (const id of ids) this.#open.get(id)?.resolve(answerTo(id));
  }

  fail(id: number, error: Error): void {
    this.#open.get(id)?.reject(error);
  }
}

const never = new AbortController().signal;

async function* requestsOf(...messages: readonly StreamCheckLimitsRequest[]) {
  yield* messages;
}

/** Requests that come when the test sends them. */
function openRequests() {
  const pipe = new TransformStream<StreamCheckLimitsRequest, StreamCheckLimitsRequest>();
  const writer = pipe.writable.getWriter();
  return { requests: pipe.readable, send: (...ids: number[]) => void writer.write(request(...ids)) };
}

async function idsOf(stream: AnswerStream): Promise<number[] | undefined> {
  const { done, value } = await stream.next();
  return done ? undefined : value.items.map(({ id }) => id);
}

async function turns(count: number): Promise<void> {
  for (let passed = 0; passed < count; passed += 1) await turn();
}

describe('the answers to a stream of checks', () => {
  it('leave in one message where they become ready within one turn of the event loop', async () => {
    const decisions = new Decisions();
    const stream = new AnswerStream(requestsOf(request(1), request(2, 3), request(4)), decisions.ask, never);
    const first = idsOf(stream);
    await turns(3);
    decisions.settle(3);
    queueMicrotask(() => decisions.settle(1));
    process.nextTick(() => decisions.settle(4));
    expect(await first).toEqual([3, 1, 4]);
    const second = idsOf(stream);
    decisions.settle(2);
    expect(await second).toEqual([2]);
    expect(await idsOf(stream)).toBeUndefined();
  });

  it('come before the end where the requests end', async () => {
    const decisions = new Decisions();
    const stream = new AnswerStream(requestsOf(request(1, 2)), decisions.ask, never);
    const answers = idsOf(stream);
    await turns(3);
    decisions.settle(1);
    expect(await answers).toEqual([1]);
    const last = idsOf(stream);
    await turns(3);
    decisions.settle(2);
    expect(await last).toEqual([2]);
    expect(await idsOf(stream)).toBeUndefined();
  });

  it('come before the error where the requests fail', async () => {
    const decisions = new Decisions();
    const failing = (async function* () {
      yield request(1);
      throw new Error('cut off');
    })();
    const stream = new AnswerStream(failing, decisions.ask, never);
    const answers = idsOf(stream);
    await turns(3);
    decisions.settle(1);
    expect(await answers).toEqual([1]);
    await expect(stream.next()).rejects.toThrow('cut off');
  });

  it('come before the error where the signal ends the stream, and nothing more is read', async () => {
    const decisions = new Decisions();
    const shutdown = new AbortController();
    const { requests, send } = openRequests();
    const stream = new AnswerStream(requests, decisions.ask, shutdown.signal);
    send(1);
    const answers = idsOf(stream);
    await turns(3);
    shutdown.abort(new ConnectError('the server is shutting down', Code.Unavailable));
    send(2);
    await turns(3);
    decisions.settle(1);
    expect(await answers).toEqual([1]);
    await expect(stream.next()).rejects.toMatchObject({ code: Code.Unavailable });
    expect(decisions.asked).toEqual([1]);
  });

  it('end with the error of a decision that fails altogether', async () => {
    const decisions = new Decisions();
    const { requests, send } = openRequests();
    const stream = new AnswerStream(requests, decisions.ask, never);
    send(1);
    const answers = idsOf(stream);
    await turns(3);
    decisions.fail(1, new Error('a bug'));
    await expect(answers).rejects.toThrow('a bug');
  });

  it('are asked for some keys at a time, also within one message', async () => {
    const decisions = new Decisions();
    const also = Array.from({ length: 15 }, () => ({}));
    const items = Array.from({ length: 100 }, (_, id) => ({ id, check: { also } }));
    const message = create(StreamCheckLimitsRequestSchema, { items });
    const stream = new AnswerStream(requestsOf(message), decisions.ask, never);
    const first = idsOf(stream);
    await turns(5);
    const atOnce = Math.ceil(MAX_KEYS_UNDER_WAY / 16);
    expect(decisions.asked).toHaveLength(atOnce);
    decisions.settle(...decisions.asked);
    expect(await first).toHaveLength(atOnce);
    await turns(5);
    expect(decisions.asked).toHaveLength(2 * atOnce);
    const second = idsOf(stream);
    await stream.return();
    decisions.settle(...decisions.asked);
    await turns(5);
    expect(decisions.asked).toHaveLength(2 * atOnce);
    void second;
  });

  it('are split where a message would list too many limits', async () => {
    const ask = ({ id }: StreamCheckLimitsRequest_Item) => answerTo(id, 99);
    const ids = Array.from({ length: 25 }, (_, id) => id);
    const stream = new AnswerStream(requestsOf(request(...ids)), ask, never);
    const messages: number[][] = [];
    for (let items = await idsOf(stream); items !== undefined; items = await idsOf(stream)) {
      messages.push(items);
    }
    expect(messages.map(({ length }) => length)).toEqual([10, 10, 5]);
    expect(messages.flat()).toEqual(ids);
  });
});

describe('a caller that does not read its answers', () => {
  const ids = Array.from({ length: 1000 }, (_, id) => id);

  it.each(['at once', 'later'])('is not read from without end, where checks are decided %s', async (when) => {
    let sent = 0;
    const endless = (async function* () {
      for (;;) {
        sent += ids.length;
        yield request(...ids);
      }
    })();
    const ask = ({ id }: StreamCheckLimitsRequest_Item) => {
      return when === 'at once' ? answerTo(id) : turn(answerTo(id));
    };
    const stream = new AnswerStream(endless, ask, never);
    await turns(200);
    expect(sent).toBe(MAX_UNDELIVERED);
    await turns(200);
    expect(sent).toBe(MAX_UNDELIVERED);

    // Reading one message on makes room for one more.
    expect(await idsOf(stream)).toHaveLength(1000);
    await turns(200);
    expect(sent).toBe(MAX_UNDELIVERED + 1000);
    await stream.return();
  });

  it('is read from no further than answers that list many limits may take', async () => {
    let sent = 0;
    const endless = (async function* () {
      for (;;) {
        sent += ids.length;
        yield request(...ids);
      }
    })();
    const stream = new AnswerStream(endless, ({ id }) => turn(answerTo(id, 127)), never);
    await turns(200);
    expect(sent).toBe(ids.length);
    await stream.return();
  });

  it('has its requests ended where it leaves', async () => {
    let ended = false;
    const endless = (async function* () {
      try {
        for (;;) yield request(...ids);
      } finally {
        ended = true;
      }
    })();
    const stream = new AnswerStream(endless, ({ id }) => answerTo(id), never);
    await turns(50);
    await stream.return();
    await turns(50);
    expect(ended).toBe(true);
  });
});
