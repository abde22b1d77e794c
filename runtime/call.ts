import { randomUUID } from 'node:crypto';
import type { HandlerContext } from '@connectrpc/connect';
import { requestHeader } from './call-context.ts';

const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

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
    const id = requestHeader(this.context, 'x-request-id');
    return id !== undefined && REQUEST_ID.test(id) ? id : undefined;
  }

  /** The id that came with the call, or one of our own: the same for all of its log lines. */
  get requestId(): string {
    this.#requestId ??= this.givenId ?? randomUUID();
    return this.#requestId;
  }
}
