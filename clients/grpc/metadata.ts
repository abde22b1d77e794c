import { Code, ConnectError, encodeBinaryHeader } from '@connectrpc/connect';
import { Metadata } from '@grpc/grpc-js';

/** What Connect's clients take as the headers of a call. */
export type HeaderInit = ConstructorParameters<typeof Headers>[0];

/** Header names as gRPC over HTTP/2 allows them, in lower case. */
const NAME = /^[0-9a-z_.-]+$/;
/** ASCII-Value of gRPC over HTTP/2: space and the printable ASCII characters. */
const TEXT = /^[ -~]*$/;
/** One value of a `-bin` header: base64 in either alphabet, padded or not. */
const BASE64 = /^[\w+/-]*={0,2}$/;

/**
 * The value of the authorization header for an API key.
 *
 * @throws TypeError when the key has a character that the header can't carry. The text doesn't repeat the key.
 */
export function bearer(apiKey: string): string {
  if (!TEXT.test(apiKey)) throw new TypeError('the API key has a character that is not printable ASCII');
  return `Bearer ${apiKey}`;
}

/**
 * Headers as gRPC metadata. A `-bin` header is base64, several values are divided by commas.
 *
 * @param authorization sent unless the headers bring one of their own
 * @throws ConnectError INVALID_ARGUMENT when gRPC can't carry a header. The text names the header and, since the value
 *   may be a secret, doesn't repeat it.
 */
export function requestMetadata(header: HeaderInit, authorization: string | undefined): Metadata {
  const metadata = new Metadata();
  if (authorization !== undefined) metadata.set('authorization', authorization);
  if (header === undefined) return metadata;
  // Checked before Headers or grpc-js see them: both repeat a value that they refuse in the text of their error.
  const checked = entries(header).map(([name, value]) => [name, checkedValue(name, value)] as const);
  new Headers(checked as [string, string][]).forEach((value, name) => {
    if (!name.endsWith('-bin')) {
      metadata.set(name, value);
      return;
    }
    for (const part of value.split(',')) metadata.add(name, Buffer.from(part.trim(), 'base64'));
  });
  return metadata;
}

/** Appends received metadata to headers, binary values as Connect's decodeBinaryHeader reads them. */
export function copyMetadata(metadata: Metadata, headers: Headers): void {
  for (const name of Object.keys(metadata.getMap())) {
    for (const value of metadata.get(name)) {
      headers.append(name, typeof value === 'string' ? value : encodeBinaryHeader(value));
    }
  }
}

function entries(header: NonNullable<HeaderInit>): readonly (readonly [string, string])[] {
  if (Symbol.iterator in header) return [...(header as Iterable<[string, string]>)];
  return Object.entries(header as Record<string, string>);
}

function checkedValue(name: string, given: string): string {
  const value = String(given).trim();
  const key = name.toLowerCase();
  if (!NAME.test(key)) throw refused(name, 'is not a name that gRPC can send');
  if (!key.endsWith('-bin')) {
    if (!TEXT.test(value)) throw refused(name, 'has a character that is not printable ASCII');
  } else if (!value.split(',').every((part) => BASE64.test(part.trim()))) {
    throw refused(name, 'is not base64');
  }
  return value;
}

function refused(name: string, why: string): ConnectError {
  return new ConnectError(`the header ${JSON.stringify(name)} ${why}`, Code.InvalidArgument);
}
