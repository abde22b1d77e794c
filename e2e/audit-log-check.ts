import type { Client } from 'pg';
import { expect } from 'vitest';
import { withTestClient } from '../testing/database-admin.ts';
import { brokenInvariants } from './audit-invariants.ts';
import type { AuditScenario, ScenarioStep } from './audit-scenario.ts';

/**
 * Expects every committed change to have its entry in the audit log and every entry its change: those that were
 * acknowledged, and of the call that was cut off whole transactions.
 *
 * @param where it was cut off, for the message
 */
export async function expectWholeLog(
  databaseUrl: string,
  scenario: AuditScenario,
  where: string,
): Promise<void> {
  await withTestClient(databaseUrl, async (client) => {
    expect(await brokenInvariants(client), where).toEqual({});
    const found = await client.query('select id from user_service.users where email = $1', [
      scenario.user.email,
    ]);
    const id = scenario.user.id || (found.rows[0]?.id as string | undefined);
    const unacknowledged = await expectAcknowledged(client, scenario, id, where);
    await expectCodeUsedWithItsEffect(client, scenario, { id, isDone: unacknowledged > 0, where });
  });
}

/** @returns how many entries the call that was cut off has made. */
async function expectAcknowledged(
  client: Client,
  { done, underWay }: AuditScenario,
  id: string | undefined,
  where: string,
): Promise<number> {
  const { rows } = await client.query(
    'select event_type as type from user_service.security_events where user_id = $1',
    [id],
  );
  const left = rows.map(({ type }) => type as string);
  for (const event of done.flatMap(({ transactions }) => transactions.flat())) {
    const index = left.indexOf(event);
    expect(index, `${where}: ${event} was acknowledged and is not in the log`).not.toBe(-1);
    left.splice(index, 1);
  }
  expect(wholeTransactions(underWay), `${where}: ${underWay?.rpc}`).toContainEqual(left.sort());
  return left.length;
}

/** The entries there may be of a call: of its first transaction, of the first two, and so on. */
function wholeTransactions(step: ScenarioStep | null): string[][] {
  const transactions = step?.transactions ?? [];
  return [0, ...transactions.keys().map((index) => index + 1)].map((count) =>
    transactions.slice(0, count).flat().sort(),
  );
}

/** A time step of the authenticator app is used up with what it was shown for, or not at all. */
async function expectCodeUsedWithItsEffect(
  client: Client,
  { isCodeUnused }: AuditScenario,
  {
    id,
    isDone,
    where,
  }: { readonly id: string | undefined; readonly isDone: boolean; readonly where: string },
): Promise<void> {
  // Before a code is shown the step that was used last is said to be ten earlier: see FactorUser.
  const { rows } = await client.query(
    `select last_step > floor(extract(epoch from confirmed_at) / 30) - 5 as is_used
     from user_service.totp_authenticators where user_id = $1 and confirmed_at is not null`,
    [id],
  );
  for (const { is_used: isUsed } of rows) expect(isUsed, where).toBe(!isCodeUnused || isDone);
}
