import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stackDirectory } from '../testing/stack-directory.ts';
import { endProcess } from './end-process.ts';
import { endRemembered, readPidFile, writePidFile } from './pid-file.ts';
import { commandLine, isAlive, processBirth } from './process-table.ts';

const END = [{ signal: 'SIGTERM', waitMs: 5_000 }] as const;

test('a process is remembered, and ended later by its signal', async () => {
  using directory = stackDirectory();
  const file = join(directory.path, 'a.pid');
  const child = spawn('sleep', ['60']);
  const pid = child.pid as number;
  writePidFile(file, pid);
  expect(readPidFile(file)).toBe(pid);
  expect(commandLine(pid)).toBe('sleep 60');

  const exit = once(child, 'exit');
  await expect(endRemembered(file, END)).resolves.toBe(pid);
  expect(await exit).toEqual([null, 'SIGTERM']);
  expect(existsSync(file)).toBe(false);
  expect([isAlive(pid), processBirth(pid), commandLine(pid)]).toEqual([false, undefined, undefined]);
});

test('a process that merely has the same id is not the one that was remembered', async () => {
  using directory = stackDirectory();
  const file = join(directory.path, 'a.pid');
  for (const text of [`${process.pid}\nanother birth\n`, `${process.pid}\n`, 'x\ny\n', '']) {
    writeFileSync(file, text);
    expect(readPidFile(file)).toBeUndefined();
    await expect(endRemembered(file, END)).resolves.toBeUndefined();
  }
});

test('the next signal follows where one is not heeded', async () => {
  const child = spawn('sh', ['-c', 'trap "" TERM; echo ready; while :; do sleep 0.1; done']);
  await once(child.stdout, 'data');
  const exit = once(child, 'exit');
  await endProcess(child.pid as number, [
    { signal: 'SIGTERM', waitMs: 200 },
    { signal: 'SIGKILL', waitMs: 5_000 },
  ]);
  expect(await exit).toEqual([null, 'SIGKILL']);
});

test('a process that outlives all signals is an error', async () => {
  const child = spawn('sh', ['-c', 'trap "" TERM; echo ready; while :; do sleep 0.1; done']);
  await once(child.stdout, 'data');
  try {
    const end = endProcess(child.pid as number, [{ signal: 'SIGTERM', waitMs: 100 }]);
    await expect(end).rejects.toThrow(`process ${child.pid} does not end, not even by SIGTERM`);
  } finally {
    child.kill('SIGKILL');
  }
});
