import { vi } from 'vitest';

export interface Printed {
  /** Undefined where it threw. */
  readonly status: number | undefined;
  readonly error: Error | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command in this process, and catches what it prints, and throws. */
export async function printedBy(command: () => Promise<number>): Promise<Printed> {
  const output = vi.spyOn(console, 'log').mockReturnValue();
  const errors = vi.spyOn(console, 'error').mockReturnValue();
  let written = '';
  const writing = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    written += text;
    return true;
  });
  let status: number | undefined;
  let error: Error | undefined;
  try {
    status = await command();
  } catch (thrown) {
    error = thrown as Error;
  }
  const textOf = (spy: typeof output) => spy.mock.calls.map(([line]) => `${line}\n`).join('');
  const printed = { status, error, stdout: textOf(output) + written, stderr: textOf(errors) };
  output.mockRestore();
  errors.mockRestore();
  writing.mockRestore();
  return printed;
}
