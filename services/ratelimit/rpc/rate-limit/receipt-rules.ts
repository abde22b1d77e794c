import type { Violations } from '../../../../runtime/validation.ts';

/** The longest that a decision over the most limits can make, with room to spare. */
const MAX_RECEIPT_BYTES = 2_097_152;

/** Bounds of the text of a receipt; what is in it is for the limiter to judge. */
export function receiptBounds({ receipt }: { readonly receipt: string }, violations: Violations): void {
  violations.text('receipt', receipt, MAX_RECEIPT_BYTES);
}
