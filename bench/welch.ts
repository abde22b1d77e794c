/** Mean and variance of a sample. */
export function moments(values: readonly number[]): { readonly mean: number; readonly variance: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, variance: squares / (values.length - 1) };
}

/**
 * Welch's t of two samples of two or more. In the leakage tests of ISO/IEC 17825 a magnitude of 4.5 or more counts as a
 * difference (a chance of about 1 in 100,000 where there is none).
 */
export function welchT(a: readonly number[], b: readonly number[]): number {
  const [x, y] = [moments(a), moments(b)];
  return (x.mean - y.mean) / Math.sqrt(x.variance / a.length + y.variance / b.length);
}
