import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { collectingLogger, type LogEntry } from '../../../testing/collecting-logger.ts';
import { answerResetRequest } from '../domain/credentials/answer-reset-request.ts';
import { requestPasswordReset } from '../domain/credentials/request-password-reset.ts';
import type { Mailer } from '../domain/mailer.ts';
import { SecretBox } from '../domain/secret-box.ts';
import type { Uuid } from '../domain/uuid.ts';
import { OutgoingMailRepository } from '../storage/outgoing-mail-repository.ts';
import { DEVICE, email, TestIdentity } from '../storage/testing-identity.ts';
import { openTestOrm, type TestOrm } from '../storage/testing-orm.ts';
import { MailDelivery, type MailDeliveryOptions } from './mail-delivery.ts';
import { renderMail } from './render-mail.ts';
import { SmtpMailer } from './smtp-mailer.ts';
import { type TestAnswers, TestSmtpServer } from './testing-smtp-server.ts';

const USER = '01890000-0000-7000-8000-000000000001' as Uuid;
const FROM = { name: '', address: 'no-reply@optix.example' };
const NO_LINKS = { verifyEmail: undefined, resetPassword: undefined };

let db: TestOrm;
let identity: TestIdentity;
let queue: OutgoingMailRepository;
let owned: AsyncDisposableStack;
let log: LogEntry[];
beforeAll(async () => {
  db = await openTestOrm();
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(async () => {
  await db.rows(
    'truncate user_service.users, user_service.outgoing_mails, user_service.security_events cascade',
  );
  identity = new TestIdentity(db);
  queue = new OutgoingMailRepository(db.orm.em, identity.secretBox, true);
  owned = new AsyncDisposableStack();
});
afterEach(() => owned.disposeAsync());

const waiting = () => db.rows('select * from user_service.outgoing_mails');
async function add(to = 'ada@example.com', lifetimeMs = 60_000): Promise<void> {
  const createdAt = identity.now();
  const expiresAt = new Date(createdAt.getTime() + lifetimeMs);
  await identity.unitOfWork.transactional(({ outgoingMails }) =>
    outgoingMails.add({
      userId: USER,
      to,
      message: { template: 'password_changed', at: createdAt },
      createdAt,
      expiresAt,
    }),
  );
}
async function serve(answers: TestAnswers = {}, port = 0): Promise<TestSmtpServer> {
  return owned.use(await TestSmtpServer.start(answers, { port }));
}
function deliver(mailer: Mailer, options: Partial<MailDeliveryOptions> = {}): MailDelivery {
  const { logger, entries } = collectingLogger();
  log = entries;
  return owned.use(
    new MailDelivery({
      queue,
      mailer,
      render: (to, message) => renderMail(to, message, NO_LINKS),
      answerResetRequest: (request) => answerResetRequest(identity, request),
      logger,
      now: identity.now,
      pollMs: 20,
      retryMs: 50,
      ...options,
    }),
  );
}

test('sends what waits, and deletes it', async () => {
  const server = await serve();
  await add();
  deliver(new SmtpMailer(server.target, FROM));
  await vi.waitFor(async () => expect(await waiting()).toEqual([]));
  expect(server.taken).toMatchObject([{ to: ['ada@example.com'] }]);
});

test('sends at once when it is woken', async () => {
  const server = await serve();
  const delivery = deliver(new SmtpMailer(server.target, FROM), { pollMs: 60_000 });
  await sleep(100);
  await add();
  delivery.wake();
  await vi.waitFor(() => expect(server.taken).toHaveLength(1));
});

test('several replicas send each mail once', async () => {
  const server = await serve();
  for (let replica = 0; replica < 4; replica += 1) deliver(new SmtpMailer(server.target, FROM));
  const addresses = Array.from({ length: 60 }, (_, index) => `user${index}@example.com`);
  await Promise.all(addresses.map((address) => add(address)));
  await vi.waitFor(async () => expect(await waiting()).toEqual([]), { timeout: 10_000 });
  expect(server.taken.map(({ to }) => to[0]).sort()).toEqual([...addresses].sort());
});

describe('a mail that can not be sent', () => {
  test('waits for a server that is down at first', async () => {
    const { port } = await (async () => {
      await using gone = await TestSmtpServer.start();
      return { port: gone.port };
    })();
    const target = { kind: 'smtp', host: '127.0.0.1', port, tls: 'none', login: null } as const;
    await add();
    deliver(new SmtpMailer(target, FROM));
    await vi.waitFor(() => expect(log.length).toBeGreaterThan(1));
    expect(log[0]).toMatchObject({ code: 'ECONNREFUSED', template: 'password_changed', attempt: 1 });
    expect(await waiting()).toHaveLength(1);
    const server = await serve({}, port);
    await vi.waitFor(async () => expect(await waiting()).toEqual([]), { timeout: 5000 });
    expect(server.taken).toHaveLength(1);
  });

  test('is tried after longer and longer waits', async () => {
    await add();
    deliver({ send: () => Promise.reject(new Error('not now')) }, { retryMs: 20 });
    await vi.waitFor(() => expect(log.length).toBeGreaterThanOrEqual(4), { timeout: 5000 });
    expect(log.slice(0, 4).map(({ retry_ms: wait }) => wait)).toEqual([20, 40, 80, 160]);
  });

  test('is dropped where it was refused for good; the log tells no address', async () => {
    const server = await serve({ recipient: () => 550 });
    await add();
    deliver(new SmtpMailer(server.target, FROM));
    await vi.waitFor(async () => expect(await waiting()).toEqual([]));
    expect(log).toMatchObject([{ reply_code: 550, msg: 'a mail was refused for good' }]);
    expect(JSON.stringify(log)).not.toContain('example.com');
  });

  test('does not keep others from being sent: neither by a hang nor by a refusal', async () => {
    const server = await serve({
      recipient: (address) => (address.startsWith('slow') ? 'silence' : undefined),
    });
    await add('slow@example.com');
    await add();
    deliver(new SmtpMailer(server.target, FROM), { timeoutMs: 300 });
    await vi.waitFor(() => expect(server.taken).toMatchObject([{ to: ['ada@example.com'] }]));
    await vi.waitFor(() => expect(log).toMatchObject([{ msg: 'a mail could not be sent yet' }]));
    expect(await waiting()).toHaveLength(1);
  });

  test('is given up when it is of no use any more', async () => {
    const server = await serve();
    await add('ada@example.com', 1000);
    identity.ahead = 2000;
    deliver(new SmtpMailer(server.target, FROM));
    await vi.waitFor(async () => expect(await waiting()).toEqual([]));
    expect(server.taken).toEqual([]);
    expect(log).toMatchObject([{ msg: 'a mail was given up: it could not be sent in time' }]);
  });

  test('waits where it can not be opened: another replica may have the key', async () => {
    await add();
    const otherBox = SecretBox.fromKeys({ id: 'k2', key: Buffer.alloc(32, 2) });
    deliver(
      { send: () => Promise.reject(new Error('sent')) },
      { queue: new OutgoingMailRepository(db.orm.em, otherBox, true) },
    );
    await vi.waitFor(() => expect(log).toMatchObject([{ template: 'unreadable' }]));
    expect(await waiting()).toHaveLength(1);
  });
});

describe('the end of the process', () => {
  test('breaks off what hangs, within the time of a shutdown, and puts it back at once', async () => {
    const server = await serve({ recipient: () => 'silence' });
    await add();
    const delivery = deliver(new SmtpMailer(server.target, FROM));
    await vi.waitFor(async () => expect(await waiting()).toMatchObject([{ attempts: 1 }]));
    await sleep(100);
    const startedAt = performance.now();
    await delivery[Symbol.asyncDispose]();
    expect(performance.now() - startedAt).toBeLessThan(1000);
    const due = await db.rows('select 1 from user_service.outgoing_mails where next_attempt_at <= now()');
    expect(due).toHaveLength(1);
  });

  test('without warning loses nothing: another replica takes over when the lease is over', async () => {
    await add();
    const at = identity.now();
    const [claimed] = await queue.claim({ at, leaseUntil: new Date(at.getTime() + 5000), most: 1 });
    expect(claimed).toMatchObject({ kind: 'mail', attempts: 1 });
    const server = await serve();
    deliver(new SmtpMailer(server.target, FROM));
    await sleep(200);
    expect(server.taken).toEqual([]);
    identity.ahead = 6000;
    await vi.waitFor(() => expect(server.taken).toHaveLength(1));
  });
});

describe('a request for a reset', () => {
  test('becomes a mail, though nobody woke the delivery', async () => {
    const server = await serve();
    await identity.register('ada@example.com');
    await db.rows('truncate user_service.outgoing_mails');
    deliver(new SmtpMailer(server.target, FROM));
    await requestPasswordReset(identity, { email: email('ADA@example.com'), device: DEVICE });
    await vi.waitFor(() => expect(server.taken).toMatchObject([{ to: ['ada@example.com'] }]), {
      timeout: 5000,
    });
    expect(server.taken[0]?.message).toMatch(/Your code: [\w=\r\n-]{43,}/);
    await vi.waitFor(async () => expect(await waiting()).toEqual([]));
  });

  test('is answered once, by however many replicas', async () => {
    const server = await serve();
    await identity.register('ada@example.com');
    await db.rows('truncate user_service.outgoing_mails, user_service.security_events');
    for (let replica = 0; replica < 4; replica += 1) deliver(new SmtpMailer(server.target, FROM));
    for (let times = 0; times < 10; times += 1) {
      await requestPasswordReset(identity, { email: email('ada@example.com'), device: DEVICE });
    }
    await vi.waitFor(async () => expect(await waiting()).toEqual([]), { timeout: 5000 });
    expect(server.taken).toHaveLength(10);
    expect(await db.rows('select 1 from user_service.security_events')).toHaveLength(10);
  });
});
