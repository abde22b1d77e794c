import { mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeAuthority, makeCertificate } from '../../../testing/certificates.ts';
import { MailNotTaken, MailRefused } from '../domain/mailer.ts';
import { SmtpMailer } from './smtp-mailer.ts';
import { TestSmtpServer } from './testing-smtp-server.ts';

const FROM = { name: 'Optix, Inc.', address: 'no-reply@optix.example' };
const MAIL = { to: 'ada@example.com', subject: 'Grüße', text: 'Dear Ada,\n\n.a line\n' };
const never = new AbortController().signal;

let directory: string;
const pem = (file: string) => readFileSync(join(directory, file), 'utf8');
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'optix-smtp-'));
  makeAuthority(directory, 'authority');
  makeCertificate(directory, 'server', 'authority');
});
afterAll(() => rm(directory, { recursive: true, force: true }));

test('hands a mail over, with its envelope and encoded headers', async () => {
  await using server = await TestSmtpServer.start();
  await new SmtpMailer(server.target, FROM).send(MAIL, never);
  expect(server.taken).toMatchObject([{ from: FROM.address, to: ['ada@example.com'] }]);
  const [head = '', body = ''] = (server.taken[0]?.message ?? '').split(/\r?\n\r?\n(.*)/s);
  expect(head).toMatch(/^From: "Optix, Inc\." <no-reply@optix\.example>$/m);
  expect(head).toMatch(/^To: ada@example\.com$/m);
  expect(head).toMatch(/^Subject: =\?UTF-8\?Q\?Gr=C3=BC=C3=9Fe\?=$/m);
  expect(head).toMatch(/^Auto-Submitted: auto-generated$/m);
  expect(head).toMatch(/^Message-ID: <.+@optix\.example>$/im);
  expect(head).toMatch(/^Date: /m);
  expect(body.replaceAll('\r\n', '\n')).toBe('Dear Ada,\n\n.a line\n');
});

test('signs in where the URL says so; a wrong password is no refusal of the mail', async () => {
  await using server = await TestSmtpServer.start(
    {},
    {
      authOptional: false,
      onAuth: ({ username, password }, _session, done) =>
        username === 'optix' && password === 'pass word' ? done(null, { user: 1 }) : done(new Error('no')),
    },
  );
  const login = { user: 'optix', password: 'pass word' };
  await new SmtpMailer({ ...server.target, login }, FROM).send(MAIL, never);
  expect(server.taken).toHaveLength(1);
  const wrong = new SmtpMailer({ ...server.target, login: { ...login, password: 'x' } }, FROM);
  await expect(wrong.send(MAIL, never)).rejects.toMatchObject({ name: 'MailNotTaken', replyCode: 535 });
});

describe('over TLS', () => {
  const certificate = () => ({ key: pem('server.key'), cert: pem('server.crt') });

  test.each(['starttls', 'implicit'] as const)(
    'sends by %s to a server it trusts, and to no other',
    async (tls) => {
      await using server = await TestSmtpServer.start({}, { ...certificate(), secure: tls === 'implicit' });
      const target = { ...server.target, tls };
      await new SmtpMailer(target, FROM, { ca: pem('authority.crt') }).send(MAIL, never);
      expect(server.taken).toHaveLength(1);
      await expect(new SmtpMailer(target, FROM).send(MAIL, never)).rejects.toBeInstanceOf(MailNotTaken);
      expect(server.taken).toHaveLength(1);
    },
  );

  test('sends nothing to a server that offers no STARTTLS where it is required', async () => {
    let asked = 0;
    await using server = await TestSmtpServer.start({
      sender: () => {
        asked += 1;
        return undefined;
      },
    });
    const mailer = new SmtpMailer({ ...server.target, tls: 'starttls' }, FROM);
    await expect(mailer.send(MAIL, never)).rejects.toBeInstanceOf(MailNotTaken);
    expect(asked).toBe(0);
  });
});

describe('tells refusals for good from others, and repeats neither address nor answer:', () => {
  test.each([
    ['the recipient, 550', { recipient: () => 550 }, MailRefused],
    ['the message, 554', { data: () => 554 }, MailRefused],
    ['the recipient for now, 450', { recipient: () => 450 }, MailNotTaken],
    ['the message for now, 451', { data: () => 451 }, MailNotTaken],
    ['the sender, 550', { sender: () => 550 }, MailNotTaken],
  ])('%s', async (_case, answers, kind) => {
    await using server = await TestSmtpServer.start(answers);
    const error: unknown = await new SmtpMailer(server.target, FROM)
      .send(MAIL, never)
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(kind);
    expect(JSON.stringify(error) + String(error)).not.toMatch(/ada|example/);
  });
});

test('nobody listening is no refusal', async () => {
  const target = { kind: 'smtp', host: '127.0.0.1', port: 1, tls: 'none', login: null } as const;
  await expect(new SmtpMailer(target, FROM).send(MAIL, never)).rejects.toMatchObject({
    name: 'MailNotTaken',
    code: 'ECONNREFUSED',
  });
});

test('a server that hangs is left when the signal says so', async () => {
  await using server = await TestSmtpServer.start({ recipient: () => 'silence' });
  const enough = new AbortController();
  const sending = new SmtpMailer(server.target, FROM).send(MAIL, enough.signal);
  await sleep(100);
  const startedAt = performance.now();
  enough.abort(new Error('enough'));
  await expect(sending).rejects.toThrow('enough');
  expect(performance.now() - startedAt).toBeLessThan(500);
});

test.each([
  ['to', 'ada@example.com\r\nBcc: eve@example.com'],
  ['subject', 'Hello\nBcc: eve@example.com'],
])('a line break in %s is refused before anything is sent', async (field, value) => {
  await using server = await TestSmtpServer.start();
  const mailer = new SmtpMailer(server.target, FROM);
  await expect(mailer.send({ ...MAIL, [field]: value }, never)).rejects.toBeInstanceOf(RangeError);
  expect(server.taken).toEqual([]);
});
