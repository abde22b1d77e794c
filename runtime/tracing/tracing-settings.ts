import { type SettingValues, secretSetting, textSetting } from '../settings.ts';
import { parseHeaders } from './otlp-headers.ts';

/** Where spans go, under OpenTelemetry's own names where it has them. */
export const tracingSettings = {
  otlpEndpoint: textSetting(
    'OTEL_EXPORTER_OTLP_ENDPOINT',
    undefined,
    'Where spans are sent, by OTLP over HTTP as JSON: the address of a collector, for example `http://127.0.0.1:4318`, to which `/v1/traces` is added. Unset: no tracing.',
    (text) =>
      isHttpUrl(text) ? undefined : 'must be an http:// or https:// address without a query or a password',
  ),
  otlpHeaders: secretSetting(
    'OTEL_EXPORTER_OTLP_HEADERS',
    'Headers to send to the collector, such as its key: `name=value` between commas, percent-encoded as in a baggage header.',
    parseHeaders,
  ),
  tracesSampleRatio: textSetting(
    'OTEL_TRACES_SAMPLER_ARG',
    '1',
    'Which part of the traces that begin here is recorded, from 0 to 1. Of calls that bring a trace along (traceparent) the caller decides.',
    (text) => (/^(0(\.\d{1,9})?|1(\.0{1,9})?)$/.test(text) ? undefined : 'must be a number from 0 to 1'),
  ),
};

/** Values of {@link tracingSettings}. */
export type TracingSettings = SettingValues<typeof tracingSettings>;

function isHttpUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, search, hash } = new URL(text);
  return /^https?:$/.test(protocol) && `${username}${password}${search}${hash}` === '';
}
