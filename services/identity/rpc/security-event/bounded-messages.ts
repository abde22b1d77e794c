import { toBinary } from '@bufbuild/protobuf';
import {
  type SecurityEvent,
  SecurityEventSchema,
} from '../../../../gen/optix/identity/v1/security_event_service_pb.ts';

/** Clients of gRPC take 4 MiB at once, unless told otherwise. */
const MAX_BYTES = 3 * 1024 * 1024;
/** Above identity's own events. Metadata of other backends are measured: a Struct may take 50 KiB for 8 KiB of JSON. */
const OWN_EVENT_BYTES = 2048;

/** How many of the first events fit into a message that every client takes: one at least, where there are any. */
export function countThatFits(events: readonly SecurityEvent[]): number {
  let bytes = 0;
  const tooMuch = events.findIndex((event) => {
    bytes += event.type.includes('.') ? toBinary(SecurityEventSchema, event).length : OWN_EVENT_BYTES;
    return bytes > MAX_BYTES;
  });
  return tooMuch === -1 ? events.length : Math.max(1, tooMuch);
}
