import type { ConnectError } from '@connectrpc/connect';
import { codeToHttpStatus } from '@connectrpc/connect/protocol-connect';
import { problemAnswer } from '../../clients/http/problem.ts';
import { ErrorInfoSchema } from '../../gen/google/rpc/error_details_pb.ts';
import type { GuardedRoute } from '../http-route.ts';
import { CONTENT_TYPES, type ExpositionFormat, exposition } from './exposition.ts';
import type { Metrics } from './metrics.ts';

/** The policy's entry of the route. */
export const METRICS_ENTRY = 'GET /metrics';

/** `GET /metrics`: in OpenMetrics where the scraper prefers it, else in the text format of Prometheus. */
export function metricsRoute({ registry }: Metrics): GuardedRoute {
  const writing = new Map<ExpositionFormat, Promise<string>>();
  /** All that ask at one moment get the same text: a crowd of scrapers costs as much as one. */
  const text = (format: ExpositionFormat): Promise<string> => {
    const begun = writing.get(format);
    if (begun !== undefined) return begun;
    const written = exposition(registry, format).finally(() => writing.delete(format));
    writing.set(format, written);
    return written;
  };
  return {
    policyEntry: METRICS_ENTRY,
    // The one that scrapers can be told to send.
    credentialHeader: 'authorization',
    async answer({ method, header }) {
      if (method !== 'GET' && method !== 'HEAD') return notAllowed();
      const format = preferredFormat(header('accept').join(','));
      return {
        status: 200,
        headers: { 'content-type': CONTENT_TYPES[format], 'cache-control': 'no-store', vary: 'accept' },
        body: await text(format),
      };
    },
    refuse,
  };
}

/** What an Accept header (RFC 9110 section 12.5.1) asks for; the text format where it leaves both open. */
export function preferredFormat(accept: string): ExpositionFormat {
  let openMetrics = 0;
  let text = 0;
  for (const range of accept.split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    const given = parameters.find((parameter) => parameter.startsWith('q='));
    const quality = given === undefined ? 1 : Number(given.slice(2)) || 0;
    if (type === 'application/openmetrics-text') openMetrics = Math.max(openMetrics, quality);
    else if (type === 'text/plain') text = Math.max(text, quality);
  }
  return openMetrics > 0 && openMetrics >= text ? 'openmetrics' : 'prometheus';
}

function notAllowed() {
  return problemAnswer({
    status: 405,
    title: 'Method Not Allowed',
    detail: 'metrics are read by GET',
    headers: { allow: 'GET, HEAD' },
  });
}

function refuse(error: ConnectError) {
  return problemAnswer({
    status: codeToHttpStatus(error.code),
    title: 'Refused',
    detail: error.rawMessage,
    members: { reason: error.findDetails(ErrorInfoSchema)[0]?.reason },
  });
}
