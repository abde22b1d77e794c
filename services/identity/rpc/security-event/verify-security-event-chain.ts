import type { MethodImpl } from '@connectrpc/connect';
import {
  ChainFindingKind,
  type SecurityEventService,
  type VerifySecurityEventChainRequest,
} from '../../../../gen/optix/identity/v1/security_event_service_pb.ts';
import type { AuditLogDeps } from '../../domain/audit/audit-log-deps.ts';
import type { ChainHead } from '../../domain/audit/chain.ts';
import type { Finding } from '../../domain/audit/finding.ts';
import type { VerifyOptions } from '../../domain/audit/verify-chain.ts';
import { Fields } from '../fields.ts';

const MOST_ANCHORS = 100;
const MOST_FINDINGS = 100;
const HASH_BYTES = 32;
/** PostgreSQL's and the contract's numbers end here; there has to be one behind it. */
const LAST_SEQUENCE = 2n ** 63n - 2n;

/** optix.identity.v1.SecurityEventService/VerifySecurityEventChain */
export function verifySecurityEventChain({
  auditLog: { verifications, sealing },
}: {
  readonly auditLog: Pick<AuditLogDeps, 'verifications' | 'sealing'>;
}): MethodImpl<typeof SecurityEventService.method.verifySecurityEventChain> {
  return async (request, { signal }) => {
    const options = optionsOf(request);
    const result = await verifications.verify({ ...options, signal });
    const { verified, firstSequence, head, findings, uncheckedAnchors } = result;
    return {
      intact: findings.length === 0,
      verifiedEntries: verified,
      firstSequence,
      head,
      findings: findings.map(findingMessage),
      unsealedEvents: BigInt((await sealing.lag()).unsealed),
      uncheckedAnchors: [...uncheckedAnchors],
    };
  };
}

function optionsOf(request: VerifySecurityEventChainRequest): VerifyOptions {
  const { fromLastAnchor, maxEntries } = request;
  const fields = new Fields();
  const anchors: ChainHead[] = request.anchors.map(({ sequence, chainHash }, index) => {
    if (sequence < 0n || sequence > LAST_SEQUENCE) {
      fields.add(`anchors[${index}].sequence`, `must be from 0 to ${LAST_SEQUENCE}`);
    }
    if (chainHash.length !== HASH_BYTES) {
      fields.add(`anchors[${index}].chain_hash`, `must have ${HASH_BYTES} bytes`);
    }
    return { sequence, chainHash: Buffer.from(chainHash) };
  });
  if (anchors.length > MOST_ANCHORS) fields.add('anchors', `must have at most ${MOST_ANCHORS} entries`);
  if (maxEntries < 0n) fields.add('max_entries', 'must not be negative');
  const last = anchors.toSorted((a, b) => (a.sequence < b.sequence ? -1 : 1)).at(-1);
  if (fromLastAnchor && last === undefined) fields.add('from_last_anchor', 'needs an anchor');
  fields.check();
  return {
    anchors,
    maxFindings: MOST_FINDINGS,
    ...(fromLastAnchor && last !== undefined && { from: last }),
    ...(maxEntries > 0n && { maxEntries }),
  };
}

function findingMessage({ kind, sequence, eventId, description }: Finding) {
  return {
    kind: ChainFindingKind[kind],
    sequence: sequence ?? 0n,
    eventId: eventId ?? '',
    description,
  };
}
