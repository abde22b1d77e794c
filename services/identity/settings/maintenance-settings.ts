import { integerSetting, type Setting } from '../../../runtime/settings.ts';

/** Ten years: partitions are not looked for further back. */
const MAX_DAYS = 3650;

/** What the service forgets, and when. */
export const maintenanceSettings = {
  auditRetentionDays: retentionSetting(
    'AUDIT_RETENTION_DAYS',
    400,
    'How long the audit log is kept, in days from 31 on; a month of it goes once all of it is older. 0: for ever.',
  ),
  sessionRetentionDays: retentionSetting(
    'SESSION_RETENTION_DAYS',
    180,
    'How long sessions are kept from their beginning, in days from 31 on; a month of them goes once all of it is older and has ended. 0: for ever.',
  ),
  deletedUserArchiveDays: integerSetting(
    'DELETED_USER_ARCHIVE_DAYS',
    30,
    { min: 0, max: MAX_DAYS },
    'How long a deletion can be taken back, in days; then the user is archived. 0: for ever.',
  ),
};

/** Days; the database refuses to drop what is 30 days old or younger. */
function retentionSetting(env: string, fallback: number, doc: string): Setting<number> {
  const setting = integerSetting(env, fallback, { min: 0, max: MAX_DAYS }, doc);
  const parse = (text: string): number => {
    const days = setting.parse(text);
    if (days > 0 && days < 31) throw new Error(`must be 0 or from 31 to ${MAX_DAYS}, not "${days}"`);
    return days;
  };
  return { ...setting, parse };
}
