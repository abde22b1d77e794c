import type { ChangePasswordDeps } from './change-password.ts';
import type { ConfirmPasswordResetDeps } from './confirm-password-reset.ts';
import type { RequestPasswordResetDeps } from './request-password-reset.ts';

/** What changing and resetting passwords needs. */
export interface CredentialDeps
  extends ChangePasswordDeps,
    RequestPasswordResetDeps,
    ConfirmPasswordResetDeps {}
