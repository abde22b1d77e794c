import type { HandlerContext } from '@connectrpc/connect';
import { callerOf } from '../../../runtime/call-context.ts';
import type { ChangeOrigin } from '../domain/change.ts';
import type { Fields } from './fields.ts';

const MAX_ACTOR_BYTES = 128;
const MAX_REASON_BYTES = 512;
/** Includes NUL, which PostgreSQL does not store, and line breaks, which would forge log lines. */
const FORBIDDEN = /[\p{Cc}\p{Cs}]/u;

/** Who asks for a change and why: the calling backend, and what it says about it. */
export function takeOrigin(
  fields: Fields,
  context: HandlerContext,
  said: { readonly actor?: string; readonly reason?: string } = {},
): ChangeOrigin {
  return {
    caller: callerOf(context)?.name ?? null,
    actor: takeNote(fields, 'actor', said.actor ?? '', MAX_ACTOR_BYTES),
    reason: takeNote(fields, 'reason', said.reason ?? '', MAX_REASON_BYTES),
  };
}

function takeNote(fields: Fields, field: string, text: string, maxBytes: number): string | null {
  if (Buffer.byteLength(text) > maxBytes) fields.add(field, `must have at most ${maxBytes} bytes`);
  else if (FORBIDDEN.test(text)) fields.add(field, 'must not contain control characters');
  return text === '' ? null : text;
}
