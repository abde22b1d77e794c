import { setTimeout as sleep } from 'node:timers/promises';
import { Code, type ConnectError, createClient, createRouterTransport } from '@connectrpc/connect';
import { describe, expect, it } from 'vitest';
import { ErrorInfoSchema } from '../../gen/google/rpc/error_details_pb.ts';
import { EchoService } from '../../gen/optix/testing/v1/echo_service_pb.ts';
import { collectingLogger } from '../../testing/collecting-logger.ts';
import { failure } from '../../testing/failure.ts';
import { callerOf } from '../call-context.ts';
import { Pipeline } from '../pipeline.ts';
import { serviceTable } from '../service-table.ts';
import { AccessControl, type Authenticator } from './access-control.ts';
import type { Caller } from './caller.ts';
import { policy, RPCS } from './testing-callers.ts';

const DOMAIN = 'echo.test';
const caller = (name: string, ...scopes: readonly string[]): Caller => ({
  name,
  scopes: policy.grant(scopes),
  credential: 'api_key',
});

/** An echo service whose callers are told by a function; what its handlers know of who calls. */
function echo(
  authenticate: Authenticator['authenticate'] | undefined,
  options: { readonly adminRpcs?: boolean } = {},
) {
  const { logger, entries } = collectingLogger();
  const seen: (string | undefined)[] = [];
  const narrowed = new Map<string, ReadonlySet<string>>();
  const authenticator = authenticate && { authenticate, callersOf: (rpc: string) => narrowed.get(rpc) };
  const access = new AccessControl({ domain: DOMAIN, policy, adminRpcs: true, ...options, authenticator });
  const pipeline = new Pipeline({
    domain: DOMAIN,
    logger,
    accessLog: 'all',
    access,
    rules: [],
    mapError: () => undefined,
  });
  const table = pipeline.wrap(
    serviceTable(EchoService, {
      echo(request, context) {
        seen.push(callerOf(context)?.name);
        return { text: request.text };
      },
      async *repeat(_, context) {
        seen.push(callerOf(context)?.name);
        for (;;) {
          yield { text: 'again' };
          await sleep(5, undefined, { signal: context.signal });
        }
      },
      async join(requests, context) {
        seen.push(callerOf(context)?.name);
        const texts: string[] = [];
        for await (const { text } of requests) texts.push(text);
        return { text: texts.join('') };
      },
      async *chat(requests) {
        for await (const { text } of requests) yield { text };
      },
    }),
  );
  const transport = createRouterTransport((router) => router.service(EchoService, table.handlers as never));
  return { client: createClient(EchoService, transport), pipeline, seen, narrowed, entries };
}

async function* each(...texts: readonly string[]) {
  for (const text of texts) yield { text };
}

async function endOf(stream: AsyncIterable<unknown>): Promise<ConnectError> {
  return await failure(
    (async () => {
      for await (const _ of stream);
    })(),
  );
}

const infoOf = (error: ConnectError) => error.findDetails(ErrorInfoSchema)[0];

describe.each([
  ['at once', (known: Caller | undefined) => known],
  ['after some time', async (known: Caller | undefined) => await sleep(5, known)],
] as const)('a credential that is checked %s', (_, check) => {
  const as = (known: Caller | undefined) => echo(() => check(known));

  it('tells handlers and the access log who calls', async () => {
    const { client, seen, entries } = as(caller('gateway', '*'));
    expect((await client.echo({ text: 'a' })).text).toBe('a');
    expect((await client.join(each('a', 'b', 'c'))).text).toBe('abc');
    for await (const _ of client.repeat({})) break;
    expect(seen).toEqual(['gateway', 'gateway', 'gateway']);
    // The stream that was left is logged once it has noticed.
    expect(entries.slice(0, 2).map((entry) => entry['caller'])).toEqual(['gateway', 'gateway']);
  });

  it('that is not good is refused before the handler is asked', async () => {
    const { client, seen } = as(undefined);
    const errors = [
      await failure(client.echo({})),
      await failure(client.join(each('a'))),
      await endOf(client.repeat({})),
      await endOf(client.chat(each('a'))),
    ];
    expect(errors.map(({ code }) => code)).toEqual(errors.map(() => Code.Unauthenticated));
    expect(new Set(errors.map(({ rawMessage }) => rawMessage)).size).toBe(1);
    expect(infoOf(errors[0] as ConnectError)).toMatchObject({
      reason: 'CALLER_UNAUTHENTICATED',
      metadata: {},
    });
    expect(seen).toEqual([]);
  });

  it('of a caller without the scope is refused, naming the scope', async () => {
    const { client, seen } = as(caller('gateway', 'echo.read'));
    const error = await endOf(client.repeat({}));
    expect(error.code).toBe(Code.PermissionDenied);
    expect(infoOf(error)).toMatchObject({
      reason: 'CALLER_NOT_PERMITTED',
      domain: DOMAIN,
      metadata: { rpc: RPCS.repeat, scope: 'echo.admin' },
    });
    expect(seen).toEqual([]);
  });

  it('of any caller is enough where the policy says so, and no good for an RPC that it does not have', async () => {
    const { client } = as(caller('gateway'));
    expect((await client.join(each('a'))).text).toBe('a');
    const error = await endOf(as(caller('root', '*')).client.chat(each('a')));
    expect([error.code, error.rawMessage]).toEqual([Code.PermissionDenied, 'nobody may use this RPC']);
  });

  it('is no good for an RPC that is for other callers', async () => {
    const { client, narrowed } = as(caller('gateway', '*'));
    narrowed.set(RPCS.echo, new Set(['console']));
    const error = await failure(client.echo({}));
    expect([error.code, error.rawMessage]).toEqual([Code.PermissionDenied, 'this RPC is for other callers']);
    narrowed.set(RPCS.echo, new Set(['console', 'gateway']));
    expect((await client.echo({ text: 'a' })).text).toBe('a');
  });
});

describe('an open stream', () => {
  it.each([
    ['is known no more', undefined, Code.Unauthenticated],
    ['has lost its scope', caller('gateway'), Code.PermissionDenied],
  ])('ends when its caller %s', async (_, later, code) => {
    let known: Caller | undefined = caller('gateway', '*');
    const { client } = echo(() => known);
    let received = 0;
    const reading = failure(
      (async () => {
        for await (const _ of client.repeat({})) received += 1;
      })(),
    );
    await expect.poll(() => received).toBeGreaterThan(2);
    await sleep(600);
    const before = received;
    known = later;
    expect((await reading).code).toBe(code);
    expect(received).toBeGreaterThanOrEqual(before);
  });
});

describe('an open stream of requests', () => {
  it.each([
    ['waits for the next one', false],
    ['goes on sending', true],
  ])('ends when its caller is known no more and %s', async (_, goesOn) => {
    let known: Caller | undefined = caller('gateway', '*');
    const { client, seen, entries } = echo(() => known);
    const ended = new AbortController();
    const requests = (async function* () {
      yield { text: 'a' };
      while (goesOn && !ended.signal.aborted) {
        await sleep(5);
        yield { text: 'a' };
      }
      await sleep(60_000, undefined, { signal: ended.signal }).catch(() => undefined);
    })();
    const joining = failure(client.join(requests));
    await expect.poll(() => seen).toEqual(['gateway']);
    known = undefined;
    const started = performance.now();
    expect((await joining).code).toBe(Code.Unauthenticated);
    expect(performance.now() - started).toBeLessThan(1_000);
    expect(entries).toMatchObject([{ code: 'unauthenticated', caller: 'gateway' }]);
    ended.abort();
  });
});

describe('authentication that is off', () => {
  it('lets everybody do everything', async () => {
    const { client, seen } = echo(undefined);
    expect((await client.echo({ text: 'a' })).text).toBe('a');
    for await (const _ of client.repeat({})) break;
    for await (const { text } of client.chat(each('b'))) expect(text).toBe('b');
    expect(seen).toEqual([undefined, undefined]);
  });

  it('but not administration, in a process that does not serve it', async () => {
    for (const authenticate of [undefined, () => caller('root', '*')]) {
      const { client } = echo(authenticate, { adminRpcs: false });
      expect((await client.echo({ text: 'a' })).text).toBe('a');
      const error = await endOf(client.repeat({}));
      expect([error.code, infoOf(error)?.reason]).toEqual([Code.PermissionDenied, 'ADMIN_RPCS_OFF']);
    }
  });
});
