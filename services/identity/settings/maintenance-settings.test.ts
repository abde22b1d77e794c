import { expect, test } from 'vitest';
import { readSettings } from '../../../runtime/settings.ts';
import { maintenanceSettings } from './maintenance-settings.ts';

test('unset: kept for 400 and 180 days, archived after 30, no metrics', () => {
  expect(readSettings(maintenanceSettings, {})).toEqual({
    auditRetentionDays: 400,
    sessionRetentionDays: 180,
    deletedUserArchiveDays: 30,
  });
});

test.each(['0', '31', '3650'])('AUDIT_RETENTION_DAYS may be %s', (text) => {
  expect(readSettings(maintenanceSettings, { AUDIT_RETENTION_DAYS: text }).auditRetentionDays).toBe(
    Number(text),
  );
});

test.each(['1', '30', '3651', '-1', 'a year'])('AUDIT_RETENTION_DAYS may not be %s', (text) => {
  const read = () =>
    readSettings(maintenanceSettings, { AUDIT_RETENTION_DAYS: text, SESSION_RETENTION_DAYS: text });
  expect(read).toThrow(/AUDIT_RETENTION_DAYS must be .*; SESSION_RETENTION_DAYS must be/);
});
