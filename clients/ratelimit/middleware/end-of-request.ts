import type { LimitOptions } from './limit-options.ts';

/**
 * What becomes of a receipt when its request is over. Without `refundOn` a receipt is for leases alone, and they end.
 *
 * @param receipt of the decision; empty where nothing can be given back
 */
export function endOfRequest(
  {
    limiter,
    refundOn,
    onRefundError = warn,
  }: Pick<LimitOptions<never>, 'limiter' | 'refundOn' | 'onRefundError'>,
  receipt: string,
): ((status: number | undefined) => void) | undefined {
  if (receipt === '') return undefined;
  let told = false;
  return (status) => {
    if (told) return;
    told = true;
    const givesBack = refundOn === undefined || (status !== undefined && refundOn(status));
    if (givesBack) limiter.refund(receipt).catch(onRefundError);
  };
}

function warn(error: unknown): void {
  const text = error instanceof Error ? error.message : String(error);
  process.emitWarning(`a rate limit's units were not given back: ${text}`, { code: 'OPTIX_REFUND_FAILED' });
}
