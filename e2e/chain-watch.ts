import type { Client } from '@connectrpc/connect';
import { expect, vi } from 'vitest';
import type {
  ChainAnchor,
  SecurityEventService,
} from '../gen/optix/identity/v1/security_event_service_pb.ts';
import { withTestClient } from '../testing/database-admin.ts';

type Events = Client<typeof SecurityEventService>;

/** Verifies the chain again and again, each time from the end that it had before. */
export class ChainWatch {
  readonly #events: Events;
  readonly #anchors: ChainAnchor[] = [];
  /** One verification at a time, as the service has it. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(events: Events) {
    this.#events = events;
  }

  /** Notes the end of the chain: it has to be there from now on. */
  async noteHead(): Promise<void> {
    const { head } = await this.#events.getSecurityEventChainHead({});
    if (head !== undefined) this.#anchors.push(head);
  }

  /** Expects nothing to be wrong with what has come to the chain. */
  async expectIntact(where: string): Promise<void> {
    const verified = this.#last.then(async () => {
      const anchors = this.#anchors.slice(-100);
      const fromLastAnchor = anchors.length > 0;
      const { findings, intact, head } = await this.#events.verifySecurityEventChain({
        anchors,
        fromLastAnchor,
      });
      expect(findings, where).toEqual([]);
      expect(intact, where).toBe(true);
      if (head !== undefined) this.#anchors.push(head);
    });
    this.#last = verified.catch(() => undefined);
    await verified;
  }

  /** Expects all events to be sealed soon, and the whole chain to verify, with all ends that it had. */
  async expectSealedWhole(databaseUrl: string): Promise<void> {
    const isSealed = async () =>
      expect((await this.#events.getSecurityEventChainHead({})).unsealedEvents).toBe(0n);
    await vi.waitFor(isSealed, { timeout: 20_000, interval: 100 });
    const { rows } = await withTestClient(databaseUrl, (client) =>
      client.query<{ events: string }>('select count(*) as events from user_service.security_events'),
    );
    const anchors = this.#anchors.slice(-100);
    const verified = await this.#events.verifySecurityEventChain({ anchors });
    expect(verified).toMatchObject({ intact: true, findings: [], firstSequence: 1n, unsealedEvents: 0n });
    expect(verified.verifiedEntries).toBe(BigInt(rows[0]?.events ?? -1));
    expect(verified.head?.sequence).toBe(verified.verifiedEntries);
  }
}
