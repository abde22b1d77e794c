/** Who changes something and why: for the audit log. */
export interface ChangeOrigin {
  /** Name of the backend that called; null where callers are not authenticated. */
  readonly caller: string | null;
  /** On whose behalf, as the backend says: a user's id or an operator's name; null where it says nothing. */
  readonly actor: string | null;
  /** Why, as the backend says; null where it says nothing. */
  readonly reason: string | null;
}
