import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { encodeSpans } from './otlp-json.ts';

/** How long a request may take, in milliseconds: OpenTelemetry's default. */
const TIMEOUT_MS = 10_000;
/** What of an answer is read: it says in a few bytes how many spans were refused. */
const MAX_ANSWER_BYTES = 65_536;
/** Answers after which the same spans may be sent again (OTLP specification, "Retryable Response Codes"). */
const RETRYABLE = new Set([429, 502, 503, 504]);

/** A collector did not take spans. The message has nothing of the request. */
export class CollectorFailure extends Error {
  override readonly name = 'CollectorFailure';
  /** Whether the same spans may be sent again. */
  readonly retryable: boolean;

  constructor(message: string, retryable: boolean, options?: ErrorOptions) {
    super(message, options);
    this.retryable = retryable;
  }
}

/**
 * Sends spans to a collector by OTLP over HTTP, as JSON. In place of OpenTelemetry's exporter, which reads settings from the
 * environment beside ours, can't be stopped while a collector hangs, and doesn't say what was refused.
 */
export class OtlpSender {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;

  /** @param endpoint the collector's address, to which `/v1/traces` is added */
  constructor(endpoint: string, headers: Readonly<Record<string, string>>) {
    this.#url = `${endpoint.replace(/\/+$/, '')}/v1/traces`;
    this.#headers = { ...headers, 'content-type': 'application/json' };
  }

  /**
   * Sends spans once.
   *
   * @returns how many of them the collector refused
   * @throws CollectorFailure where it took none
   */
  async send(spans: readonly ReadableSpan[], signal: AbortSignal): Promise<number> {
    const ended = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
    const body = encodeSpans(spans);
    let status: number;
    let answer: string;
    try {
      const response = await fetch(this.#url, {
        method: 'POST',
        headers: this.#headers,
        body,
        // Elsewhere than where it was configured to go, the collector's key would be given away.
        redirect: 'manual',
        signal: ended,
      });
      status = response.status;
      answer = await beginning(response);
    } catch (error) {
      throw new CollectorFailure(ended.aborted ? 'it does not answer in time' : reasonOf(error), true);
    }
    if (status < 200 || status > 299)
      throw new CollectorFailure(`it answers with status ${status}`, RETRYABLE.has(status));
    return rejectedSpans(answer);
  }
}

async function beginning({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) break;
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** `partialSuccess.rejectedSpans` of an ExportTraceServiceResponse; 0 where the answer says nothing of the kind. */
function rejectedSpans(answer: string): number {
  try {
    const { partialSuccess } = JSON.parse(answer) as {
      readonly partialSuccess?: { readonly rejectedSpans?: string | number };
    };
    const rejected = Number(partialSuccess?.rejectedSpans ?? 0);
    return Number.isSafeInteger(rejected) && rejected > 0 ? rejected : 0;
  } catch {
    // Some collectors answer with nothing, or in words; their status said that the spans were taken.
    return 0;
  }
}

/** Of fetch's errors the cause has what happened, such as ECONNREFUSED. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  if (!(cause instanceof Error)) return 'it can not be reached';
  return 'code' in cause ? String(cause.code) : cause.message;
}
