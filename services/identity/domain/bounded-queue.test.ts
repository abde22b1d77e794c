import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { BoundedQueue, QueueFull } from './bounded-queue.ts';

/** Tasks that end when they are told to. */
function controlled() {
  const started: string[] = [];
  const ends = new Map<string, PromiseWithResolvers<string>>();
  return {
    started,
    task: (name: string) => () => {
      started.push(name);
      const end = Promise.withResolvers<string>();
      ends.set(name, end);
      return end.promise;
    },
    end: (name: string) => ends.get(name)?.resolve(name),
    fail: (name: string) => ends.get(name)?.reject(new Error(name)),
  };
}

test('runs at most so many at once, in the order they came', async () => {
  const queue = new BoundedQueue({ concurrency: 2, queueLimit: 10, expectedMs: 1 });
  const { started, task, end } = controlled();
  const all = ['a', 'b', 'c', 'd'].map((name) => queue.run(task(name)));
  expect(started).toEqual(['a', 'b']);
  expect(queue.figures).toEqual({ running: 2, waiting: 2 });
  end('b');
  await all[1];
  expect(started).toEqual(['a', 'b', 'c']);
  end('a');
  end('c');
  await Promise.all([all[0], all[2]]);
  end('d');
  expect(await Promise.all(all)).toEqual(['a', 'b', 'c', 'd']);
  expect(queue.figures).toEqual({ running: 0, waiting: 0 });
});

test('refuses at once what finds no place, and says when to come back', async () => {
  const queue = new BoundedQueue({ concurrency: 1, queueLimit: 2, expectedMs: 40 });
  const { task, end, started } = controlled();
  const accepted = ['a', 'b', 'c'].map((name) => queue.run(task(name)));
  const refused = queue.run(task('d')).catch((error: unknown) => error);
  const error = await refused;
  expect(error).toBeInstanceOf(QueueFull);
  // Two wait, the newcomer would be the third: three tasks of 40 ms on one place.
  expect((error as QueueFull).retryAfterMs).toBe(120);
  for (const [index, name] of ['a', 'b', 'c'].entries()) {
    end(name);
    await accepted[index];
  }
  expect(started).toEqual(['a', 'b', 'c']);
});

test('the estimate follows what tasks really take', async () => {
  const queue = new BoundedQueue({ concurrency: 1, queueLimit: 0, expectedMs: 10_000 });
  for (let round = 0; round < 40; round++) await queue.run(() => sleep(1));
  const blocker = controlled();
  const running = queue.run(blocker.task('a'));
  const error = await queue.run(blocker.task('b')).catch((refusal: unknown) => refusal);
  expect((error as QueueFull).retryAfterMs).toBeLessThan(100);
  blocker.end('a');
  await running;
});

test('a task that fails gives its place back', async () => {
  const queue = new BoundedQueue({ concurrency: 1, queueLimit: 5, expectedMs: 1 });
  const { task, fail, end } = controlled();
  const failing = queue.run(task('a'));
  const next = queue.run(task('b'));
  fail('a');
  await expect(failing).rejects.toThrow('a');
  end('b');
  await expect(next).resolves.toBe('b');
  await expect(
    queue.run(() => {
      throw new Error('at once');
    }),
  ).rejects.toThrow('at once');
  expect(queue.figures).toEqual({ running: 0, waiting: 0 });
});

test('who leaves the queue is never started, and leaves its place to the next', async () => {
  const queue = new BoundedQueue({ concurrency: 1, queueLimit: 2, expectedMs: 1 });
  const { task, end, started } = controlled();
  const gone = new AbortController();
  const first = queue.run(task('a'));
  const leaving = queue.run(task('b'), gone.signal);
  const staying = queue.run(task('c'));
  const reason = new Error('the caller has gone');
  gone.abort(reason);
  await expect(leaving).rejects.toBe(reason);
  expect(queue.figures).toEqual({ running: 1, waiting: 1 });
  end('a');
  await first;
  end('c');
  await staying;
  expect(started).toEqual(['a', 'c']);
  expect(queue.figures).toEqual({ running: 0, waiting: 0 });
});

test('a caller that has gone before is not let in', async () => {
  const queue = new BoundedQueue({ concurrency: 1, queueLimit: 2, expectedMs: 1 });
  const { task, started } = controlled();
  await expect(queue.run(task('a'), AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone');
  expect(started).toEqual([]);
  expect(queue.figures).toEqual({ running: 0, waiting: 0 });
});

test('an abort while the task runs does not free the place twice', async () => {
  const queue = new BoundedQueue({ concurrency: 1, queueLimit: 2, expectedMs: 1 });
  const { task, end } = controlled();
  const gone = new AbortController();
  const first = queue.run(task('a'));
  const second = queue.run(task('b'), gone.signal);
  end('a');
  await first;
  gone.abort();
  expect(queue.figures).toEqual({ running: 1, waiting: 0 });
  end('b');
  await second;
  expect(queue.figures).toEqual({ running: 0, waiting: 0 });
});
