import { Severity } from '../../../gen/optix/identity/v1/security_event_service_pb.ts';
import { UsageError } from '../../usage.ts';

const NAMES: ReadonlyMap<string, Severity> = new Map([
  ['info', Severity.INFO],
  ['low', Severity.LOW],
  ['medium', Severity.MEDIUM],
  ['high', Severity.HIGH],
  ['critical', Severity.CRITICAL],
]);

/** Reads `--min-severity`; unset where there is no text. @throws UsageError */
export function minSeverity(command: string, text: string | undefined): Severity {
  if (text === undefined) return Severity.UNSPECIFIED;
  const severity = NAMES.get(text);
  if (severity !== undefined) return severity;
  throw new UsageError(
    `${command}: --min-severity must be one of ${[...NAMES.keys()].join(', ')}, not "${text}"`,
  );
}
