import { Severity as SeverityNumber } from '../../../../gen/optix/identity/v1/security_event_service_pb.ts';
import { accepted, type Parsed, rejected } from '../../domain/parsed.ts';
import { SEVERITIES, type Severity } from '../../domain/security-event.ts';

const NUMBERS: Readonly<Record<Severity, SeverityNumber>> = {
  info: SeverityNumber.INFO,
  low: SeverityNumber.LOW,
  medium: SeverityNumber.MEDIUM,
  high: SeverityNumber.HIGH,
  critical: SeverityNumber.CRITICAL,
};

/** A severity in the contract's form. */
export function severityNumber(severity: Severity): SeverityNumber {
  return NUMBERS[severity];
}

/** Reads a severity that has to be set. */
export function parseSeverity(number: SeverityNumber): Parsed<Severity> {
  const severity = SEVERITIES.find((known) => NUMBERS[known] === number);
  return severity === undefined ? rejected('must be a severity') : accepted(severity);
}

/** Reads the least severity of a filter; null for none. */
export function parseMinSeverity(number: SeverityNumber): Parsed<Severity | null> {
  return number === SeverityNumber.UNSPECIFIED ? accepted(null) : parseSeverity(number);
}
