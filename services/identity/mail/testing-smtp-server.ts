import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import type { SmtpServer } from './mail-url.ts';

/** A mail that the server took. */
export interface TakenMail {
  readonly from: string;
  readonly to: readonly string[];
  /** As it came over the wire. */
  readonly message: string;
}

/** A real SMTP server on the loopback. Whatever it answers is said by `answers`. */
export class TestSmtpServer implements AsyncDisposable {
  readonly taken: TakenMail[] = [];
  readonly #server: SMTPServer;

  private constructor(options: SMTPServerOptions, answers: TestAnswers) {
    this.#server = new SMTPServer({
      disabledCommands: options.key === undefined ? ['STARTTLS'] : [],
      authOptional: true,
      allowInsecureAuth: true,
      closeTimeout: 100,
      disableReverseLookup: true,
      ...options,
      onMailFrom: (_address, _session, done) => done(refusal(answers.sender?.())),
      onRcptTo: ({ address }, _session, done) => {
        const answer = answers.recipient?.(address);
        // No answer at all: it hangs.
        if (answer !== 'silence') done(refusal(answer));
      },
      onData: (stream, session, done) => {
        const { mailFrom, rcptTo } = session.envelope;
        void text(stream).then((message) => {
          const code = answers.data?.();
          if (code === undefined) {
            this.taken.push({
              from: mailFrom === false ? '' : mailFrom.address,
              to: rcptTo.map(({ address }) => address),
              message,
            });
          }
          done(refusal(code));
        });
      },
    });
    // Clients that are broken off, or that refuse the certificate.
    this.#server.on('error', () => undefined);
  }

  /** @param port 0 for a free one. */
  static async start(
    answers: TestAnswers = {},
    { port = 0, ...options }: SMTPServerOptions & { readonly port?: number } = {},
  ): Promise<TestSmtpServer> {
    const server = new TestSmtpServer(options, answers);
    server.#server.listen(port, '127.0.0.1');
    await once(server.#server.server, 'listening');
    return server;
  }

  get port(): number {
    return (this.#server.server.address() as AddressInfo).port;
  }

  get target(): SmtpServer {
    return { kind: 'smtp', host: '127.0.0.1', port: this.port, tls: 'none', login: null };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(resolve));
  }
}

/** Reply codes to refuse with; undefined to accept. */
export interface TestAnswers {
  readonly sender?: () => number | undefined;
  readonly recipient?: (address: string) => number | 'silence' | undefined;
  readonly data?: () => number | undefined;
}

function refusal(code: number | undefined): Error | undefined {
  return code === undefined
    ? undefined
    : Object.assign(new Error('no, ada@example.com'), { responseCode: code });
}
