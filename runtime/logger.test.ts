import { TracerProvider } from '@opentelemetry/sdk-trace';
import { describe, expect, it } from 'vitest';
import { collectingLogger } from '../testing/collecting-logger.ts';
import { createLogger } from './logger.ts';
import { runInSpan, runUnrecorded } from './tracing/active-span.ts';

function linesAt(level: string, debug = false) {
  const lines: Record<string, unknown>[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
  const logger = createLogger({ service: 'identity', level, debug, destination });
  for (const name of ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const) logger[name](name);
  return { logger, lines, messages: lines.map(({ msg }) => msg) };
}

describe('the log', () => {
  it('has JSON lines with time, service and message, from its level on', () => {
    const { lines } = linesAt('fatal');
    expect(lines).toEqual([
      {
        level: 60,
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        pid: process.pid,
        hostname: expect.any(String),
        name: 'identity',
        msg: 'fatal',
      },
    ]);
    expect(linesAt('warn').messages).toEqual(['warn', 'error', 'fatal']);
    expect(linesAt('silent').messages).toEqual([]);
  });

  it('has at least debug where DEBUG says so', () => {
    expect(linesAt('error', true).messages[0]).toBe('debug');
    expect(linesAt('trace', true).messages[0]).toBe('trace');
  });

  it('follows a change of its level at once', () => {
    const { logger, lines } = linesAt('warn');
    logger.level = 'debug';
    logger.debug('now');
    expect(lines.at(-1)).toMatchObject({ level: 20, msg: 'now' });
  });

  it('leaves out what stands under the name of a secret, and what errors carry in their text', () => {
    const { logger, entries } = collectingLogger();
    logger.warn(
      { password: 'hush', of: { refreshToken: 'hush' }, reason: 'no way to redis://:hush@h:1' },
      'x',
    );
    expect(JSON.stringify(entries)).not.toContain('hush');
    expect(entries[0]).toMatchObject({ password: '[redacted]', reason: 'no way to redis://[redacted]' });
  });
});

describe('lines of a call that is traced', () => {
  const tracer = new TracerProvider().getTracer('test');

  it('have the ids of its trace and span, also after it has waited', async () => {
    const { logger, entries } = collectingLogger();
    const span = tracer.startSpan('a call');
    await runInSpan(tracer, span, async () => {
      await new Promise(setImmediate);
      logger.info({ a: 1 }, 'within');
      logger.info('alone');
    });
    logger.info('outside');
    const { traceId, spanId } = span.spanContext();
    expect(traceId).toMatch(/^[0-9a-f]{32}$/);
    expect(spanId).toMatch(/^[0-9a-f]{16}$/);
    expect(entries).toEqual([
      expect.objectContaining({ a: 1, trace_id: traceId, span_id: spanId, msg: 'within' }),
      expect.objectContaining({ trace_id: traceId, span_id: spanId, msg: 'alone' }),
      expect.not.objectContaining({ trace_id: expect.anything() }),
    ]);
  });

  it('have none where the trace is not recorded', () => {
    const { logger, entries } = collectingLogger();
    runUnrecorded(() => logger.info('within'));
    expect(entries).toEqual([expect.not.objectContaining({ trace_id: expect.anything() })]);
  });
});
