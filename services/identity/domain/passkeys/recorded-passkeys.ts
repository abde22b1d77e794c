import type { Uuid } from '../uuid.ts';
import recorded from './recorded-passkeys.json' with { type: 'json' };
import type { RelyingParty } from './relying-party.ts';

/** Whom the recorded passkeys were made for. */
export const relyingParty: RelyingParty = {
  id: 'example.com',
  name: 'Example',
  origins: ['https://app.example.com', 'https://example.com'],
};

/** What a real browser and its authenticator answered; the JSON file says how it was made. */
export const recordedPasskeys = recorded.vectors.map(({ name, userId, registration, assertion }) => ({
  name,
  userId: userId as Uuid,
  registration: {
    challenge: Buffer.from(registration.challenge, 'base64url'),
    response: registration.response,
  },
  assertion: {
    challenge: Buffer.from(assertion.challenge, 'base64url'),
    response: assertion.response,
  },
}));
