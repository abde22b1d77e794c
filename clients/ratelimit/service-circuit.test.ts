import { Code, ConnectError } from '@connectrpc/connect';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ServiceCircuit, wayFailure } from './service-circuit.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const AWAY = new ConnectError('away', Code.Unavailable);
const REFUSED = new ConnectError('who are you?', Code.Unauthenticated);
const ANSWERED = new ConnectError('endpoint must not be empty', Code.InvalidArgument);

/** A circuit, with the times of its probes in ms; they end with `outcome`. */
function circuit() {
  const probes: number[] = [];
  const changes: unknown[] = [];
  const service = { outcome: AWAY };
  const of = new ServiceCircuit({
    async probe() {
      probes.push(performance.now());
      throw service.outcome;
    },
    onStateChange: (state, error) => changes.push([state, error?.code]),
  });
  return { of, probes, changes, service };
}

describe('a circuit that was opened by an outage', () => {
  it('probes at once, then after pauses of 100 ms to 1 s that double, each less up to its half', async () => {
    const { of, probes } = circuit();
    of.open(AWAY);
    await vi.advanceTimersByTimeAsync(10_000);
    expect((probes[0] as number) - performance.now()).toBeLessThan(-9_990);
    const pauses = probes.slice(1).map((at, index) => at - (probes[index] as number));
    for (const [index, pause] of pauses.entries()) {
      const most = Math.min(200 * 2 ** index, 1000);
      expect(pause).toBeGreaterThanOrEqual(most / 2 - 1);
      expect(pause).toBeLessThanOrEqual(most + 1);
    }
    expect(new Set(pauses).size).toBeGreaterThan(3);
  });

  it('holds until a probe is answered, and tells of both', async () => {
    const { of, changes, service } = circuit();
    of.open(AWAY);
    expect([of.state, of.failure]).toEqual(['unreachable', AWAY]);
    await vi.advanceTimersByTimeAsync(3_000);
    expect(of.state).toBe('unreachable');
    service.outcome = ANSWERED;
    await vi.advanceTimersByTimeAsync(1_000);
    expect([of.state, of.failure]).toEqual(['reachable', undefined]);
    expect(changes).toEqual([
      ['unreachable', Code.Unavailable],
      ['reachable', undefined],
    ]);
  });

  it('that closed and failed again without an answer in between probes less often', async () => {
    const { of, probes, service } = circuit();
    service.outcome = ANSWERED;
    for (let turn = 0; turn < 20; turn += 1) {
      of.open(AWAY);
      await vi.advanceTimersByTimeAsync(50);
    }
    expect(probes.length).toBeLessThanOrEqual(6);
    await vi.advanceTimersByTimeAsync(1_000);
    const before = probes.length;
    of.answered();
    of.open(AWAY);
    await vi.advanceTimersByTimeAsync(1);
    expect(probes.length).toBe(before + 1);
  });

  it('probes no more once it is disposed of', async () => {
    const { of, probes } = circuit();
    of.open(AWAY);
    of[Symbol.dispose]();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(probes).toEqual([]);
  });
});

describe('a circuit that was opened by a refusal', () => {
  it('is reachable, answers with the refusal, and asks again after a pause only', async () => {
    const { of, probes, changes, service } = circuit();
    service.outcome = REFUSED;
    of.open(REFUSED);
    expect([of.state, of.failure]).toEqual(['reachable', REFUSED]);
    await vi.advanceTimersByTimeAsync(49);
    expect(probes).toEqual([]);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(probes.length).toBeLessThan(15);
    expect(of.failure).toBe(REFUSED);
    service.outcome = ANSWERED;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(of.failure).toBeUndefined();
    expect(changes).toEqual([]);
  });
});

it.each([
  ['of a broken connection', Code.Internal, Code.Unavailable],
  ['of a proxy', Code.Unknown, Code.Unavailable],
  ['of time', Code.DeadlineExceeded, Code.DeadlineExceeded],
  ['that is the refusal of the service', Code.PermissionDenied, Code.PermissionDenied],
  ['that is the refusal of a message', Code.ResourceExhausted, Code.ResourceExhausted],
])('a failure %s is told as what it means', (_, code, told) => {
  expect(wayFailure(new ConnectError('x', code)).code).toBe(told);
});
