/** What a header of HTTP carries as it is. Anything else fetch refuses, with the value in its error. */
const PRINTABLE = /^[\x20-\x7e]+$/;

/**
 * Reads the value of OTEL_EXPORTER_OTLP_HEADERS: `name=value` between commas, percent-encoded (OpenTelemetry's
 * specification of the OTLP exporter).
 *
 * @throws Error that never shows the text
 */
export function parseHeaders(text: string): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (const part of text.split(',')) {
    const [, name, encoded] = /^\s*([\w!#$%&'*+.^`|~-]+)\s*=\s*([\x21-\x7e]+)\s*$/.exec(part) ?? [];
    if (name === undefined || encoded === undefined)
      throw new Error('must be name=value entries between commas');
    const value = decoded(encoded);
    if (value === undefined) throw new Error('has a value that is not percent-encoded as it must be');
    if (!PRINTABLE.test(value)) throw new Error('has a value that is not printable ASCII');
    headers[name.toLowerCase()] = value;
  }
  return headers;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
