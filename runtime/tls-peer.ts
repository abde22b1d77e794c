import type { PeerCertificate, TLSSocket } from 'node:tls';
import type { ClientCertificate } from './client-certificate.ts';

/** By the object that stands for the certificate of one connection: parsed once, not for each call. */
const verified = new WeakMap<object, ClientCertificate>();

/**
 * Remembers the client's certificate with a connection whose handshake is done.
 *
 * @returns false where the client showed a certificate that does not verify: such a connection is to be closed. (With
 *   TLS_CLIENT_AUTH=optional Node itself lets it pass.)
 */
export function rememberClient(socket: TLSSocket): boolean {
  // Null where the peer is gone already.
  const peer = socket.getPeerCertificate() as PeerCertificate | null;
  if (peer?.raw === undefined) return true;
  if (!socket.authorized) return false;
  verified.set(peer, parse(peer));
  // Node makes the object anew for each question, and grpc-js asks for each call.
  socket.getPeerCertificate = (() => peer) as TLSSocket['getPeerCertificate'];
  return true;
}

/** What {@link rememberClient} remembered, by what the connection says its peer's certificate is. */
export function verifiedCertificate(peer: object | null | undefined): ClientCertificate | undefined {
  return peer ? verified.get(peer) : undefined;
}

function parse({
  fingerprint256,
  subject,
  subjectaltname,
  valid_to: notAfter,
}: PeerCertificate): ClientCertificate {
  const names = alternativeNames(subjectaltname ?? '');
  const ofType = (wanted: string) => names.filter(({ type }) => type === wanted).map(({ value }) => value);
  // Several common names come as an array, whatever the types say: which one would be meant?
  const commonName: unknown = subject?.CN;
  return {
    fingerprint256: fingerprint256.replaceAll(':', '').toLowerCase(),
    commonName: typeof commonName === 'string' ? commonName : null,
    dnsNames: ofType('DNS'),
    uris: ofType('URI'),
    endsAt: Date.parse(notAfter),
  };
}

/** One entry: its type, then text without a comma or quote, or a JSON string. */
const ENTRY = /([^:,"]+):("(?:[^"\\]|\\.)*"|[^",]*)(, |$)/y;

/**
 * Reads OpenSSL's text for a subjectAltName, `DNS:a.example, URI:spiffe://b`, as Node writes it since CVE-2021-44532: a value
 * that could be taken for more than one entry is a JSON string. Text of any other form gives no names at all, and neither
 * do names with anything but printable ASCII: nothing else is valid in them (RFC 5280).
 */
export function alternativeNames(text: string): readonly { readonly type: string; readonly value: string }[] {
  const names: { type: string; value: string }[] = [];
  ENTRY.lastIndex = 0;
  while (ENTRY.lastIndex < text.length) {
    const [, type, written, end] = ENTRY.exec(text) ?? [];
    if (type === undefined || written === undefined) return [];
    // A comma that no entry follows.
    if (end !== '' && ENTRY.lastIndex === text.length) return [];
    const value = written.startsWith('"') ? jsonText(written) : written;
    if (value === undefined) return [];
    if (/^[\x21-\x7e]+$/.test(value)) names.push({ type, value });
  }
  return names;
}

function jsonText(literal: string): string | undefined {
  try {
    return JSON.parse(literal) as string;
  } catch {
    return undefined;
  }
}
