import type { SendEmailVerificationDeps } from './send-email-verification.ts';
import type { VerifyEmailDeps } from './verify-email.ts';

/** What verifying e-mail addresses needs. */
export interface VerificationDeps extends SendEmailVerificationDeps, VerifyEmailDeps {}
