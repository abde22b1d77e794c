import type { HandlerContext } from '@connectrpc/connect';
import { requestHeader } from './call-context.ts';
import { givenRequestId, newRequestId } from './request-id.ts';

/** What is known of one call while it lasts. */
export class Call {
  readonly context: HandlerContext;
  /** By performance.now(). */
  readonly started: number;
  #requestId: string | undefined;

  constructor(context: HandlerContext, started: number) {
    this.context = context;
    this.started = started;
  }

  /** The id that came with the call, if it is plain text of 1 to 128 characters. */
  get givenId(): string | undefined {
    return givenRequestId(requestHeader(this.context, 'x-request-id'));
  }

  /** The id that came with the call, or one of our own: the same for all of its log lines. */
  get requestId(): string {
    this.#requestId ??= this.givenId ?? newRequestId();
    return this.#requestId;
  }
}
