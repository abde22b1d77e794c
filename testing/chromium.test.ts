import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  authenticationOptions,
  readAssertion,
  verifyAssertion,
} from '../services/identity/domain/passkeys/authentication.ts';
import type { UserVerification } from '../services/identity/domain/passkeys/passkey.ts';
import {
  registrationOptions,
  verifyRegistration,
} from '../services/identity/domain/passkeys/registration.ts';
import type { RelyingParty } from '../services/identity/domain/passkeys/relying-party.ts';
import { parseResponse } from '../services/identity/domain/passkeys/response-json.ts';
import { userHandleOf } from '../services/identity/domain/passkeys/user-handle.ts';
import type { Uuid } from '../services/identity/domain/uuid.ts';
import { type Chromium, startChromium } from './chromium.ts';
import { addVirtualAuthenticator, createPasskey, usePasskey } from './chromium-passkeys.ts';
import { findChromium } from './chromium-path.ts';

let chromium: Chromium;
const api = createServer((request, response) => response.end(`answer to ${request.url}`));
let relyingParty: RelyingParty;

beforeAll(async () => {
  chromium = await startChromium();
  await new Promise<void>((resolve) => api.listen(0, '127.0.0.1', resolve));
  const origin = `http://localhost:${(api.address() as AddressInfo).port}`;
  relyingParty = { id: 'localhost', name: 'Test', origins: [origin] };
});

afterAll(async () => {
  await chromium?.close();
  await new Promise((resolve) => api.close(resolve));
});

function openPage(): Promise<Page> {
  return chromium.openPage(relyingParty.origins[0] as string);
}

/** Registers a passkey as the service would. */
async function register(
  page: Page,
  userId: Uuid,
  exclude: { credentialId: Buffer; transports: string[] }[] = [],
) {
  const challenge = randomBytes(32);
  const options = await registrationOptions({
    relyingParty,
    user: { id: userId, name: 'ada@example.com', displayName: 'Ada' },
    exclude,
    challenge,
    userVerification: 'preferred',
  });
  const response = parseResponse(await createPasskey(page, options));
  const made = await verifyRegistration({
    relyingParty,
    response,
    challenge,
    requireUserVerification: false,
  });
  return { ...made, userId };
}

type Registered = Awaited<ReturnType<typeof register>>;

/** Signs in by a passkey as the service would; the user chooses where it is not named. */
async function signIn(
  page: Page,
  passkey: Registered,
  { named = true, userVerification = 'preferred' as UserVerification } = {},
) {
  const challenge = randomBytes(32);
  const options = await authenticationOptions({
    relyingParty,
    allow: named ? [passkey] : [],
    challenge,
    userVerification,
  });
  const { response, userHandle } = readAssertion(await usePasskey(page, options));
  const verified = await verifyAssertion({
    relyingParty,
    response,
    challenge,
    passkey,
    requireUserVerification: false,
  });
  return { ...verified, userHandle };
}

describe('a passkey in a browser', () => {
  const userId = randomUUID() as Uuid;

  it('is made, and signs in without being named', async () => {
    const page = await openPage();
    const authenticator = await addVirtualAuthenticator(page);
    const passkey = await register(page, userId);
    expect(passkey).toMatchObject({ deviceType: 'single_device', backedUp: false, userVerified: true });
    expect(await authenticator.credentials()).toEqual([
      { credentialId: passkey.credentialId, userHandle: userHandleOf(userId), signCount: passkey.signCount },
    ]);
    const signedIn = await signIn(page, passkey, { named: false });
    expect(signedIn).toMatchObject({ userVerified: true, userHandle: userHandleOf(userId) });
    expect(signedIn.newSignCount).toBeGreaterThan(passkey.signCount);
  });

  it('on a security key without room for it is a second factor, and is found by its name only', async () => {
    const page = await openPage();
    await addVirtualAuthenticator(page, { transport: 'usb', residentKey: false });
    const passkey = await register(page, userId);
    expect(passkey.transports).toContain('usb');
    await expect(signIn(page, passkey)).resolves.toMatchObject({ deviceType: 'single_device' });
    await expect(signIn(page, passkey, { named: false })).rejects.toThrow('NotAllowedError');
  });

  it('that is synchronised tells', async () => {
    const page = await openPage();
    await addVirtualAuthenticator(page, { backedUp: true });
    const passkey = await register(page, userId);
    expect(passkey).toMatchObject({ deviceType: 'multi_device', backedUp: true });
    await expect(signIn(page, passkey)).resolves.toMatchObject({
      deviceType: 'multi_device',
      backedUp: true,
    });
  });

  it('is not made twice on one authenticator', async () => {
    const page = await openPage();
    await addVirtualAuthenticator(page);
    const { credentialId } = await register(page, userId);
    await expect(register(page, userId, [{ credentialId, transports: ['internal'] }])).rejects.toThrow(
      'InvalidStateError',
    );
  });

  it('tells whether its user was checked, and is not used by one who fails the check', async () => {
    const page = await openPage();
    const authenticator = await addVirtualAuthenticator(page);
    const passkey = await register(page, userId);
    await authenticator.setUserVerified(false);
    await expect(signIn(page, passkey)).rejects.toThrow('NotAllowedError');
    await expect(signIn(page, passkey, { userVerification: 'discouraged' })).resolves.toMatchObject({
      userVerified: false,
    });
  });

  it('that was copied is noticed by its count', async () => {
    const page = await openPage();
    const authenticator = await addVirtualAuthenticator(page);
    const passkey = await register(page, userId);
    await authenticator.setSignCount(passkey.credentialId, 40);
    const { newSignCount } = await signIn(page, passkey);
    expect(newSignCount).toBe(41);
    await authenticator.setSignCount(passkey.credentialId, 3);
    await expect(signIn(page, { ...passkey, signCount: newSignCount })).rejects.toMatchObject({
      reason: 'sign_count_not_risen',
    });
  });
});

describe('a browser', () => {
  it('shows an empty page of an origin, whose other paths reach the server', async () => {
    const page = await openPage();
    expect(await page.title()).toBe('test');
    expect(await page.evaluate(`fetch('/v1/thing').then((answer) => answer.text())`)).toBe(
      'answer to /v1/thing',
    );
  });

  it('ends with all it has when it is closed', async () => {
    const other = await startChromium();
    const page = await other.openPage('https://app.example.com');
    const session = await other.browser.newBrowserCDPSession();
    const { processInfo } = await session.send('SystemInfo.getProcessInfo');
    const pid = processInfo.find(({ type }) => type === 'browser')?.id as number;
    const profile = profileOf(pid);
    expect(existsSync(profile)).toBe(true);
    await other.close();
    expect(existsSync(profile)).toBe(false);
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    await expect(page.title()).rejects.toThrow('closed');
  });

  it('is found where CHROMIUM_PATH says, else on PATH', () => {
    const found = findChromium() as string;
    expect(existsSync(found)).toBe(true);
    expect(findChromium({ CHROMIUM_PATH: found, PATH: '' })).toBe(found);
    expect(() => findChromium({ CHROMIUM_PATH: '/nowhere/chromium', PATH: '/usr/bin' })).toThrow(
      /^CHROMIUM_PATH must be/,
    );
    expect(findChromium({ PATH: '/nowhere' })).not.toBe(found);
  });
});

function profileOf(pid: number): string {
  const parts = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  const option = '--user-data-dir=';
  return parts.find((part) => part.startsWith(option))?.slice(option.length) ?? expect.fail();
}
