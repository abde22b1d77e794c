import type { ChainAnchor } from '../../../gen/optix/identity/v1/security_event_service_pb.ts';
import { UsageError } from '../../usage.ts';

/** A place in the chain: its number, and the SHA-256 there in hex. */
const FORM = /^(\d{1,18}):([0-9a-f]{64})$/i;

/** Reads what {@link anchorText} writes. @throws UsageError */
export function readAnchor(text: string): Pick<ChainAnchor, 'sequence' | 'chainHash'> {
  const [, sequence, hash] = FORM.exec(text) ?? [];
  if (sequence === undefined || hash === undefined) {
    throw new UsageError(
      'events verify: --anchor must be a number, a colon and 64 hex digits, as verify prints it',
    );
  }
  return { sequence: BigInt(sequence), chainHash: Uint8Array.from(Buffer.from(hash, 'hex')) };
}

/** An anchor to keep. */
export function anchorText({ sequence, chainHash }: Pick<ChainAnchor, 'sequence' | 'chainHash'>): string {
  return `${sequence}:${Buffer.from(chainHash).toString('hex')}`;
}
