import type { EnvoyEntry } from './envoy-config.ts';

/** `edge.remote_address_203.0.113.9.path`: a domain, and keys with their values, as the reference implementation has it. */
export function statKeyOf(domain: string, entries: readonly EnvoyEntry[]): string {
  let text = domain;
  for (const { key, value } of entries) text += `.${statKeyPart(key, value)}`;
  return text;
}

/** @param value '' for none */
export function statKeyPart(key: string, value: string): string {
  return value === '' ? key : `${key}_${value}`;
}
