import type { DetectionRule } from './detection/rules.ts';
import type { Device } from './device.ts';
import type { Uuid } from './uuid.ts';

/** A mail to a user, before it is put into words. Values are not secret but for `token`. */
export type MailMessage =
  /** Carries the token that VerifyEmail takes. */
  | { readonly template: 'verify_email'; readonly token: string; readonly expiresAt: Date }
  /** Carries the token that ConfirmPasswordReset takes. */
  | { readonly template: 'reset_password'; readonly token: string; readonly expiresAt: Date }
  | { readonly template: 'password_changed'; readonly at: Date }
  /** To the old address. */
  | { readonly template: 'email_changed'; readonly at: Date }
  /** To the account, after wrong passwords. */
  | { readonly template: 'account_locked'; readonly at: Date; readonly until: Date }
  | {
      readonly template: 'second_factor_added' | 'second_factor_removed';
      readonly factor: 'totp' | 'passkey' | 'all';
      readonly at: Date;
    }
  | { readonly template: 'recovery_codes_made'; readonly at: Date }
  | { readonly template: 'recovery_code_used'; readonly left: number; readonly at: Date }
  | { readonly template: 'device_trusted'; readonly at: Date }
  /** Something about the account's use does not fit. */
  | { readonly template: 'security_alert'; readonly finding: DetectionRule; readonly at: Date };

/** A mail to be sent. */
export interface OutgoingMail {
  readonly userId: Uuid;
  /** Address as the user wrote it. */
  readonly to: string;
  readonly message: MailMessage;
  readonly createdAt: Date;
  /** After this it is of no use. */
  readonly expiresAt: Date;
}

/** Somebody wants to reset the password of the account with this address, if there is one. */
export interface ResetRequest {
  readonly normalizedEmail: string;
  readonly device: Device;
  readonly createdAt: Date;
  /** After this it is dropped. */
  readonly expiresAt: Date;
}

/** Mails that leave once the transaction is committed. */
export interface OutgoingMails {
  /** Where no mail is configured the mail is dropped: what must be sent is refused before (see MailNotConfigured). */
  add(mail: OutgoingMail): Promise<void>;
  /** Keeps a request for {@link ResetRequests} to answer later. Costs the same whether anybody has the address or not. */
  addResetRequest(request: ResetRequest): Promise<void>;
  /** Takes a request out of the queue: true for the one transaction that does. */
  takeResetRequest(id: Uuid): Promise<boolean>;
}

/** What the delivery takes from the queue. */
export type QueuedMail = {
  readonly id: Uuid;
  /** Tries so far, this one included. */
  readonly attempts: number;
  readonly expiresAt: Date;
} & (
  | { readonly kind: 'mail'; readonly to: string; readonly message: MailMessage }
  | { readonly kind: 'reset_request'; readonly request: ResetRequest }
  /** Sealed with a key that is not at hand, or changed. */
  | { readonly kind: 'unreadable'; readonly error: unknown }
);

/** Mails that wait, shared by all replicas. Each throws DatabaseUnavailable. */
export interface MailQueue {
  /** Takes up to `most` that are due at `at`, and keeps others from them until `leaseUntil`. */
  claim(claim: {
    readonly at: Date;
    readonly leaseUntil: Date;
    readonly most: number;
  }): Promise<QueuedMail[]>;
  /** Deletes one that is done with. */
  remove(id: Uuid): Promise<void>;
  /** Puts one back. */
  retryAt(id: Uuid, at: Date): Promise<void>;
}
