import { randomUUID } from 'node:crypto';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Mailer, RenderedMail } from '../domain/mailer.ts';
import type { MailSender } from './mail-sender.ts';
import { mimeMessage } from './mime-message.ts';

/** Writes mails into a directory instead of sending them, one `.eml` file each, for development. */
export class FileMailer implements Mailer {
  readonly #directory: string;
  readonly #from: MailSender;

  /** The directory is made when it is needed. Files are for this system user alone: they hold tokens. */
  constructor(directory: string, from: MailSender) {
    this.#directory = directory;
    this.#from = from;
  }

  async send(mail: RenderedMail, signal: AbortSignal): Promise<void> {
    const message = await mimeMessage(mail, this.#from);
    signal.throwIfAborted();
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const name = `${new Date().toISOString().replaceAll(':', '')}-${randomUUID()}`;
    const path = join(this.#directory, `${name}.eml`);
    // Who watches the directory for .eml files finds whole ones.
    await writeFile(`${path}.part`, message, { mode: 0o600, flag: 'wx' });
    await rename(`${path}.part`, path);
  }
}
