import { describe, expect, it } from 'vitest';
import { formatTraceContext, parseTraceContext } from './trace-context.ts';

/** The example of W3C Trace Context, section 3.2. */
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';

describe('a traceparent', () => {
  it.each([
    ['recorded', '01', 1],
    ['not recorded', '00', 0],
    ['with flags that level 1 does not know', 'ff', 1],
    ['with such flags, not recorded', 'fe', 0],
  ])('is read: %s', (_name, flags, traceFlags) => {
    expect(parseTraceContext(`00-${TRACE}-${PARENT}-${flags}`, undefined)).toStrictEqual({
      traceId: TRACE,
      spanId: PARENT,
      traceFlags,
      isRemote: true,
    });
  });

  it.each([`01-${TRACE}-${PARENT}-01`, `cc-${TRACE}-${PARENT}-01-what-will-be`])(
    'of a later version is read as far as it is known: %s',
    (traceparent) => expect(parseTraceContext(traceparent, undefined)?.traceId).toBe(TRACE),
  );

  it.each([
    '',
    'null',
    `00-${TRACE}-${PARENT}`,
    `00-${TRACE}-${PARENT}-1`,
    `00-${TRACE}-${PARENT}-01-more`,
    `00-${TRACE}-${PARENT}-01.`,
    `cc-${TRACE}-${PARENT}-01.`,
    `ff-${TRACE}-${PARENT}-01`,
    `00-${TRACE.toUpperCase()}-${PARENT}-01`,
    `00-${'0'.repeat(32)}-${PARENT}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE}-${PARENT}-01, 00-${TRACE}-${PARENT}-01`,
    ` 00-${TRACE}-${PARENT}-01`,
    `00-${TRACE}-${PARENT}-01\n`,
  ])('that is not valid counts for nothing: %j', (traceparent) => {
    expect(parseTraceContext(traceparent, 'a=1')).toBeUndefined();
  });
});

describe('a tracestate', () => {
  const read = (tracestate: string) => {
    const context = parseTraceContext(`00-${TRACE}-${PARENT}-01`, tracestate);
    if (context === undefined) throw new Error('the traceparent is valid');
    return formatTraceContext(context);
  };

  it('is passed on as it came', () => {
    expect(read('rojo=00f067aa0ba902b7,congo=t61rcWkgMzE')).toEqual({
      traceparent: `00-${TRACE}-${PARENT}-01`,
      tracestate: 'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE',
    });
  });

  it.each([
    ['is too long', `a=${'x'.repeat(100_000)}`],
    ['has nothing in it', ''],
    ['has no member that is valid', '=,==,\u0001=2, ,A B=c'],
  ])('is left out where it %s', (_name, tracestate) => {
    expect(read(tracestate)).toEqual({ traceparent: `00-${TRACE}-${PARENT}-01` });
  });

  it('has 512 characters at most, whatever came', () => {
    const members = Array.from({ length: 200 }, (_, index) => `k${index}=${'v'.repeat(10)}`).join(',');
    expect(read(members)['tracestate'] ?? '').toSatisfy((text: string) => text.length <= 512);
  });
});
