import type { Device } from '../device.ts';
import type { Repositories } from '../unit-of-work.ts';
import type { Uuid } from '../uuid.ts';
import type { Finding } from './finding.ts';
import type { Response } from './rules.ts';

/** What a rule found, and what is to come of it. */
export interface Judgement {
  readonly finding: Finding;
  readonly response: Response;
}

/** What the rules say of a sign-in whose first factor was right. */
export interface Assessment {
  readonly judgements: readonly Judgement[];
  /** A second factor is due, also on a trusted device. Where the account has none, the user is told by mail instead. */
  readonly stepUp: boolean;
  /** The account is to be locked and the sign-in refused. */
  readonly lock: boolean;
}

/** A sign-in whose first factor was right. */
export interface AssessedAttempt {
  readonly userId: Uuid;
  readonly device: Device;
  readonly at: Date;
}

/** What is made of an assessment: where and for whom. */
export interface AssessedOutcome extends AssessedAttempt {
  /** The session that was opened; null where the sign-in waits for a second factor or was refused. */
  readonly sessionId: Uuid | null;
}

/** Looks at sign-ins for what does not fit the user. */
export interface SignInDetection {
  /** Reads the user's history and judges. Outside a transaction. @throws DatabaseUnavailable */
  assess(attempt: AssessedAttempt): Promise<Assessment>;
  /**
   * Writes the events of an assessment, the mails of those to be told of, and the lock where there is to be one. In the
   * transaction of what came of the sign-in: the session, the challenge or the refusal. Once for an attempt.
   *
   * @throws DatabaseUnavailable
   */
  record(repositories: Repositories, assessment: Assessment, outcome: AssessedOutcome): Promise<void>;
}
