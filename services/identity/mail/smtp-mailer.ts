import SMTPConnection from 'nodemailer/lib/smtp-connection';
import { type Mailer, MailNotTaken, MailRefused, type RenderedMail } from '../domain/mailer.ts';
import type { MailSender } from './mail-sender.ts';
import type { SmtpServer } from './mail-url.ts';
import { mimeMessage } from './mime-message.ts';

/** What nodemailer tells of a failure. Its message may repeat addresses and the server's own words. */
interface SmtpFailure {
  readonly code?: string;
  readonly originalCode?: string;
  readonly command?: string;
  readonly responseCode?: number;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** Without a byte from the server. */
const SILENCE_TIMEOUT_MS = 20_000;
const CLOSE_TIMEOUT_MS = 500;

/** Sends mails over SMTP (RFC 5321), each over a connection of its own: they are few, and it ends when the signal says. */
export class SmtpMailer implements Mailer {
  readonly #server: SmtpServer;
  readonly #from: MailSender;
  readonly #tls: { readonly ca?: string };

  /** @param tls `ca`: certificates (PEM) to trust instead of those that Node knows. */
  constructor(server: SmtpServer, from: MailSender, tls: { readonly ca?: string } = {}) {
    this.#server = server;
    this.#from = from;
    this.#tls = tls;
  }

  async send(mail: RenderedMail, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const message = await mimeMessage(mail, this.#from);
    const connection = this.#connection();
    const lost = Promise.withResolvers<never>();
    lost.promise.catch(() => undefined);
    const abort = () => lost.reject(signal.reason);
    connection.on('error', lost.reject);
    connection.once('end', () => lost.reject(new MailNotTaken('ECONNECTION', null)));
    signal.addEventListener('abort', abort, { once: true });
    const step = (run: (done: (error?: Error | null) => void) => void) =>
      Promise.race([
        lost.promise,
        new Promise<void>((resolve, reject) => run((error) => (error ? reject(error) : resolve()))),
      ]);
    try {
      await step((done) => connection.connect(done));
      const { login } = this.#server;
      if (login !== null) {
        const auth = { credentials: { user: login.user, pass: login.password } };
        await step((done) => connection.login(auth, done));
      }
      const envelope = { from: this.#from.address, to: [mail.to] };
      await step((done) => connection.send(envelope, message, done));
      connection.quit();
    } catch (error) {
      signal.throwIfAborted();
      throw translate(error);
    } finally {
      signal.removeEventListener('abort', abort);
      connection.close();
    }
  }

  #connection(): SMTPConnection {
    const { host, port, tls } = this.#server;
    return new SMTPConnection({
      host,
      port,
      secure: tls === 'implicit',
      requireTLS: tls === 'starttls',
      ignoreTLS: tls === 'none',
      tls: { ...this.#tls },
      connectionTimeout: CONNECT_TIMEOUT_MS,
      dnsTimeout: CONNECT_TIMEOUT_MS,
      greetingTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: SILENCE_TIMEOUT_MS,
      socketCloseTimeout: CLOSE_TIMEOUT_MS,
    });
  }
}

/**
 * A refusal of the recipient or of what the mail says is for good. One of the sender or of the login is not the mail's
 * fault: it can be sent once the settings are right.
 */
function translate(error: unknown): Error {
  if (error instanceof MailNotTaken) return error;
  const { code = 'EUNKNOWN', originalCode, command = '', responseCode } = error as SmtpFailure;
  const isAboutMail = command === 'RCPT TO' || (command === 'DATA' && code === 'EMESSAGE');
  if (isAboutMail && responseCode !== undefined && responseCode >= 500) return new MailRefused(responseCode);
  return new MailNotTaken(originalCode ?? code, responseCode ?? null);
}
