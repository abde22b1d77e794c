import type { TlsOptions as NodeTlsOptions, Server, TLSSocket } from 'node:tls';
import type { Logger } from './logger.ts';
import { repeat } from './timers.ts';
import { tlsContext, tlsServerOptions } from './tls-context.ts';
import { FailedHandshakes } from './tls-failures.ts';
import {
  checkTlsFiles,
  InvalidTlsFiles,
  readTlsFiles,
  type TlsContents,
  type TlsFiles,
} from './tls-files.ts';
import { rememberClient } from './tls-peer.ts';
import type { TlsOptions } from './tls-settings.ts';

const DAY_MS = 86_400_000;

/** A certificate that has fewer days left is warned of, each day. */
const WARN_DAYS = 14;

/** Content is taken once it was read twice in a row: within twice this, well under the five seconds promised. */
const READ_EVERY_MS = 1000;

/** The certificate of the ports, kept as its files are: shared by all ports of a service. */
export class TlsCertificates implements AsyncDisposable {
  readonly #options: TlsOptions;
  readonly #logger: Logger;
  readonly #servers = new Set<Server>();
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;
  #files: TlsFiles;
  /** What was read last, and what was dealt with: the files, or the text of what is wrong with them. */
  #seen: TlsContents | string;
  #settled: TlsContents | string;
  #warnAtMs = 0;

  /** @throws InvalidTlsFiles */
  constructor(options: TlsOptions, logger: Logger, everyMs = READ_EVERY_MS) {
    this.#options = options;
    this.#logger = logger;
    this.#files = checkTlsFiles(readTlsFiles(options));
    this.#seen = this.#files;
    this.#settled = this.#files;
    logger.info(facts(this.#files), 'TLS certificate');
    this.#warnOfExpiry();
    this.#loop = repeat(everyMs, this.#stop.signal, () => this.#look());
  }

  /** What a server of Node is made with, which then is given to {@link serve}. */
  serverOptions(alpnProtocols: readonly string[]): NodeTlsOptions {
    return tlsServerOptions(this.#options, this.#files, alpnProtocols);
  }

  /**
   * Accepts a server's connections once their handshake is done, and gives the server each new certificate until it closes.
   * Connections that are open keep the certificate they began with.
   */
  serve(server: Server, portEnv: string, accept: (socket: TLSSocket) => void): void {
    this.#servers.add(server);
    server.once('close', () => this.#servers.delete(server));
    const failures = new FailedHandshakes(portEnv, this.#logger);
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
      // Node ends a connection whose certificate does not verify as if it had been reset.
      const unverified = socket.authorizationError as unknown as string | null;
      failures.log(unverified ?? error.code ?? error.message, socket);
    });
    server.on('secureConnection', (socket) => {
      if (rememberClient(socket)) {
        accept(socket);
        return;
      }
      // A connection that is being ended has no use for its errors.
      socket.on('error', () => undefined);
      failures.log(String(socket.authorizationError), socket);
      socket.destroy();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#loop;
  }

  #look(): void {
    const now = orProblem(() => readTlsFiles(this.#options));
    const before = this.#seen;
    this.#seen = now;
    // Certificate and key are replaced one after the other, and a file may be read while it is being written.
    if (same(now, before) && !same(now, this.#settled)) {
      this.#settled = now;
      this.#take(typeof now === 'string' ? now : orProblem(() => this.#check(now)));
    }
    this.#warnOfExpiry();
  }

  #check(contents: TlsContents): TlsFiles {
    const files = checkTlsFiles(contents);
    if (isExpired(files) && !isExpired(this.#files)) {
      throw new InvalidTlsFiles('TLS_CERT_FILE holds a certificate that has expired');
    }
    return files;
  }

  #take(files: TlsFiles | string): void {
    if (typeof files === 'string') {
      this.#logger.error({ problem: files }, 'the TLS files are refused: the certificate stays as it was');
      return;
    }
    this.#files = files;
    for (const server of this.#servers) server.setSecureContext(tlsContext(this.#options, files));
    this.#logger.info(facts(files), 'TLS certificate read anew');
    this.#warnAtMs = 0;
  }

  #warnOfExpiry(): void {
    const now = Date.now();
    if (now < this.#warnAtMs) return;
    this.#warnAtMs = now + DAY_MS;
    const certificate = facts(this.#files);
    if (certificate.days_left < 0) this.#logger.error(certificate, 'the TLS certificate has expired');
    else if (certificate.days_left < WARN_DAYS)
      this.#logger.warn(certificate, 'the TLS certificate expires soon');
  }
}

function facts({ certificate }: TlsFiles) {
  return {
    fingerprint256: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    expires: certificate.validToDate.toISOString(),
    days_left: Math.floor((certificate.validToDate.getTime() - Date.now()) / DAY_MS),
  };
}

function isExpired({ certificate }: TlsFiles): boolean {
  return certificate.validToDate.getTime() < Date.now();
}

/** What it answers, or the text of what is wrong with the files. */
function orProblem<T>(work: () => T): T | string {
  try {
    return work();
  } catch (error) {
    if (error instanceof InvalidTlsFiles) return error.message;
    throw error;
  }
}

function same(a: TlsContents | string, b: TlsContents | string): boolean {
  if (typeof a === 'string' || typeof b === 'string') return a === b;
  return a.cert === b.cert && a.key === b.key && a.clientCa === b.clientCa;
}
