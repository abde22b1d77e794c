import { mkdtempSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FileMailer } from './file-mailer.ts';

const FROM = { name: '', address: 'no-reply@optix.example' };
const MAIL = { to: 'ada@example.com', subject: 'Hello', text: 'Dear Ada\n' };

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'optix-mails-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

test('writes each mail to a file of its own, which nobody else may read', async () => {
  const mails = join(directory, 'a', 'b');
  const mailer = new FileMailer(mails, FROM);
  await Promise.all(Array.from({ length: 5 }, () => mailer.send(MAIL, new AbortController().signal)));
  const files = readdirSync(mails);
  expect(files).toHaveLength(5);
  for (const file of files) {
    expect(file).toMatch(/\.eml$/);
    expect(statSync(join(mails, file)).mode & 0o777).toBe(0o600);
    const message = readFileSync(join(mails, file), 'utf8');
    expect(message).toMatch(/^To: ada@example\.com\r?$/m);
    expect(message).toMatch(/^Dear Ada\r?$/m);
  }
  expect(statSync(mails).mode & 0o777).toBe(0o700);
});

test('a directory that can not be made is an error', async () => {
  const mailer = new FileMailer('/dev/null/mails', FROM);
  await expect(mailer.send(MAIL, new AbortController().signal)).rejects.toMatchObject({ code: 'ENOTDIR' });
});
