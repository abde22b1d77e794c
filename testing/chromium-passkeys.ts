import type { CDPSession, Page } from 'playwright-core';

export interface VirtualAuthenticatorOptions {
  /** `internal`, the default, is built into the device; `usb` is a security key. */
  readonly transport?: 'internal' | 'usb';
  /** Whether it makes discoverable passkeys. Default: true. */
  readonly residentKey?: boolean;
  /** Whether its user passes the PIN or biometric check. Default: true. */
  readonly userVerified?: boolean;
  /** Whether its passkeys may be synchronised, and are. Default: false. */
  readonly backedUp?: boolean;
}

/** A passkey within a virtual authenticator. */
export interface VirtualCredential {
  readonly credentialId: Buffer;
  readonly userHandle: Buffer | null;
  readonly signCount: number;
}

/** An authenticator that Chromium plays itself (WebAuthn level 3 section 11, by the DevTools protocol). */
export interface VirtualAuthenticator {
  credentials(): Promise<VirtualCredential[]>;
  /** Whether its user passes the check from now on; one who doesn't gets NotAllowedError where it is made. */
  setUserVerified(verified: boolean): Promise<void>;
  /** Sets the counter that the next assertion raises: a lower one makes a copy of an authenticator. */
  setSignCount(credentialId: Buffer, signCount: number): Promise<void>;
}

/** Gives a page an authenticator that consents at once. */
export async function addVirtualAuthenticator(
  page: Page,
  options: VirtualAuthenticatorOptions = {},
): Promise<VirtualAuthenticator> {
  const { transport = 'internal', residentKey = true, userVerified = true, backedUp = false } = options;
  const session = await page.context().newCDPSession(page);
  await session.send('WebAuthn.enable');
  const { authenticatorId } = await session.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport,
      hasResidentKey: residentKey,
      hasUserVerification: true,
      isUserVerified: userVerified,
      automaticPresenceSimulation: true,
      defaultBackupEligibility: backedUp,
      defaultBackupState: backedUp,
    },
  });
  return {
    credentials: async () =>
      (await stored(session, authenticatorId)).map(({ credentialId, userHandle, signCount }) => ({
        credentialId: Buffer.from(credentialId, 'base64'),
        userHandle: userHandle ? Buffer.from(userHandle, 'base64') : null,
        signCount,
      })),
    setUserVerified: async (verified) => {
      await session.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: verified });
    },
    setSignCount: async (id, signCount) => {
      const credentialId = id.toString('base64');
      const found = (await stored(session, authenticatorId)).find((one) => one.credentialId === credentialId);
      if (found === undefined) throw new Error('the authenticator has no such passkey');
      await session.send('WebAuthn.removeCredential', { authenticatorId, credentialId });
      await session.send('WebAuthn.addCredential', { authenticatorId, credential: { ...found, signCount } });
    },
  };
}

async function stored(session: CDPSession, authenticatorId: string) {
  const { credentials } = await session.send('WebAuthn.getCredentials', { authenticatorId });
  return credentials;
}

/**
 * Has a page make a passkey, as an application would; `options` are PublicKeyCredentialCreationOptionsJSON.
 *
 * @returns the RegistrationResponseJSON, as text.
 * @throws Error with the DOMException's name, for example `InvalidStateError` for an excluded authenticator.
 */
export function createPasskey(page: Page, options: object): Promise<string> {
  // As text, since the tests are compiled without the types of a browser.
  return page.evaluate<string>(`navigator.credentials
    .create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(${JSON.stringify(options)}) })
    .then((credential) => JSON.stringify(credential.toJSON()))`);
}

/**
 * Has a page use a passkey; `options` are PublicKeyCredentialRequestOptionsJSON.
 *
 * @returns the AuthenticationResponseJSON, as text.
 * @throws Error with the DOMException's name, for example `NotAllowedError` where there is no such passkey.
 */
export function usePasskey(page: Page, options: object): Promise<string> {
  return page.evaluate<string>(`navigator.credentials
    .get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(${JSON.stringify(options)}) })
    .then((credential) => JSON.stringify(credential.toJSON()))`);
}
