import { v7 as uuidV7 } from 'uuid';
import { SEVERITIES } from '../security-event.ts';
import type { Repositories } from '../unit-of-work.ts';
import type { Uuid } from '../uuid.ts';
import { assessSignIn } from './assess-sign-in.ts';
import type { DetectionPolicy } from './detection-policy.ts';
import type { Places } from './place.ts';
import { lockFor, mailAlert } from './respond.ts';
import type { DetectionRule } from './rules.ts';
import type { PastSignIn } from './sign-in.ts';
import type {
  AssessedAttempt,
  AssessedOutcome,
  Assessment,
  Judgement,
  SignInDetection,
} from './sign-in-detection.ts';

/** Reads of the sign-ins that users had. */
export interface SignInHistory {
  /** The latest ones that opened a session, up to 50. @throws DatabaseUnavailable */
  latest(userId: Uuid): Promise<PastSignIn[]>;
}

export interface DetectorOptions {
  readonly policy: Pick<DetectionPolicy, 'responses' | 'lockMs'>;
  readonly places: Places;
  readonly history: SignInHistory;
}

/** The rules that look at a single sign-in. */
const RULES = ['new_device', 'new_country', 'impossible_travel'] as const satisfies readonly DetectionRule[];
const NOTHING: Assessment = { judgements: [], stepUp: false, lock: false };

/** Compares sign-ins with the user's past ones, and does what the policy says of what is found. */
export class Detector implements SignInDetection {
  readonly #options: DetectorOptions;

  constructor(options: DetectorOptions) {
    this.#options = options;
  }

  async assess({ userId, device, at }: AssessedAttempt): Promise<Assessment> {
    const { history, places, policy } = this.#options;
    if (RULES.every((rule) => policy.responses[rule] === 'off')) return NOTHING;
    const findings = assessSignIn({ device, at, places, history: await history.latest(userId) });
    const judgements = findings
      .map((finding): Judgement => ({ finding, response: policy.responses[finding.rule] }))
      .filter(({ response }) => response !== 'off');
    const answeredBy = (response: Judgement['response']) =>
      judgements.some((one) => one.response === response);
    return { judgements, stepUp: answeredBy('step_up'), lock: answeredBy('lock') };
  }

  async record(repositories: Repositories, assessment: Assessment, outcome: AssessedOutcome): Promise<void> {
    const gravestFirst = assessment.judgements.toSorted((a, b) => gravity(b) - gravity(a));
    for (const judgement of assessment.judgements) await append(repositories, judgement, outcome);
    const locking = gravestFirst.find(({ response }) => response === 'lock');
    if (locking !== undefined) {
      const { lockMs } = this.#options.policy;
      await lockFor(repositories, outcome, { rule: locking.finding.rule, lockMs });
      return;
    }
    // One mail a sign-in: several findings are mostly one and the same, told by several rules.
    const told = gravestFirst.filter(({ response }) => response === 'notify' || response === 'step_up');
    if (told.length > 0) await tell(repositories, told, outcome);
  }
}

async function append(
  { securityEvents }: Repositories,
  { finding, response }: Judgement,
  { userId, sessionId, device, at }: AssessedOutcome,
): Promise<void> {
  await securityEvents.append({
    id: uuidV7() as Uuid,
    type: finding.rule,
    severity: finding.severity,
    description: finding.description,
    userId,
    sessionId,
    device,
    metadata: { ...finding.metadata, response },
    createdAt: at,
  });
}

async function tell(
  repositories: Repositories,
  judgements: readonly Judgement[],
  { userId, at }: AssessedOutcome,
): Promise<void> {
  const user = await repositories.users.find(userId);
  if (user === null || user.deletedAt !== null) return;
  // Who is asked for a second factor learns of it there.
  const judgement = judgements.find(({ response }) => response === 'notify' || !user.mfaEnabled);
  if (judgement === undefined) return;
  await mailAlert(repositories, { userId, email: user.email, rule: judgement.finding.rule, at });
}

function gravity({ finding }: Judgement): number {
  return SEVERITIES.indexOf(finding.severity);
}
