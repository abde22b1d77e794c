/**
 * Reads the value of OTEL_EXPORTER_OTLP_HEADERS: `name=value` between commas, percent-encoded (OpenTelemetry's
 * specification of the OTLP exporter).
 *
 * @throws Error that never shows the text
 */
export function parseHeaders(text: string): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (const part of text.split(',')) {
    const [, name, value] = /^\s*([\w!#$%&'*+.^`|~-]+)\s*=\s*([\x21-\x7e]+)\s*$/.exec(part) ?? [];
    if (name === undefined || value === undefined)
      throw new Error('must be name=value entries between commas');
    try {
      headers[name.toLowerCase()] = decodeURIComponent(value);
    } catch {
      throw new Error('has a value that is not percent-encoded as it must be');
    }
  }
  return headers;
}
