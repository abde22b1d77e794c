import {
  type SecurityEvent,
  SeveritySchema,
} from '../../../gen/optix/identity/v1/security_event_service_pb.ts';
import { enumName } from '../../output/enum-name.ts';
import { printable } from '../../output/printable.ts';
import { tableText } from '../../output/table.ts';
import { timeText } from '../../output/time-text.ts';

const TITLES = ['time', 'severity', 'type', 'user', 'id', 'description'] as const;

/** Events for people. */
export function eventTable(events: readonly SecurityEvent[]): string {
  return tableText(TITLES, events.map(cellsOf));
}

/** An event as one line, for what has no end and so no widths. */
export function eventLine(event: SecurityEvent): string {
  return cellsOf(event)
    .filter((cell) => cell !== '')
    .map(printable)
    .join('  ');
}

function cellsOf({
  createTime,
  severity,
  type,
  userId,
  id,
  description,
  resolveTime,
}: SecurityEvent): string[] {
  const text = resolveTime === undefined ? description : `${description} (resolved)`;
  return [timeText(createTime), enumName(SeveritySchema, severity).toLowerCase(), type, userId, id, text];
}
