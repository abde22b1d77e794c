/** A stream that is open. Disposed of at its end. */
export interface OpenStream extends Disposable {
  /** Aborted, with the refusal, once its caller may not use it any more. */
  readonly signal: AbortSignal;
}

/** How often the callers of open streams are asked for their credential again, in milliseconds. */
const CHECK_EVERY_MS = 500;

/**
 * The streams that are open. A stream outlives the check of its caller, so the check is made again while it is open: a
 * stream ends within half a second after its caller's key was revoked or has expired, or the policy has changed.
 */
export class OpenStreams {
  readonly #open = new Map<AbortController, () => unknown>();
  #timer: NodeJS.Timeout | undefined;

  /** @param check throws, or answers a promise that rejects, where the caller may not use the stream any more */
  open(check: () => unknown): OpenStream {
    const controller = new AbortController();
    this.#open.set(controller, check);
    this.#timer ??= setInterval(() => this.#checkAll(), CHECK_EVERY_MS).unref();
    return {
      signal: controller.signal,
      [Symbol.dispose]: () => {
        this.#open.delete(controller);
        if (this.#open.size > 0) return;
        clearInterval(this.#timer);
        this.#timer = undefined;
      },
    };
  }

  #checkAll(): void {
    for (const [controller, check] of this.#open) {
      const refuse = (error: unknown) => controller.abort(error);
      try {
        const checked = check();
        if (checked instanceof Promise) checked.catch(refuse);
      } catch (error) {
        refuse(error);
      }
    }
  }
}
