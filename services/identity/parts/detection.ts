import type { EntityManager } from '@mikro-orm/postgresql';
import type { Logger } from '../../../runtime/logger.ts';
import { encryptionKeys, type IdentityConfig } from '../config.ts';
import { AccountTags } from '../domain/detection/account-tags.ts';
import { type DetectionPolicy, detectionPolicy } from '../domain/detection/detection-policy.ts';
import { Detector } from '../domain/detection/detector.ts';
import type { SignInDetection } from '../domain/detection/sign-in-detection.ts';
import { StoredSignInHistory } from '../storage/sign-in-history.ts';
import { openPlaces } from './geo-ip.ts';

/** What looks for sign-ins that do not fit. */
export interface Detection {
  readonly detection: SignInDetection;
  readonly detectionPolicy: DetectionPolicy;
  readonly accountTags: AccountTags;
}

/** @throws InvalidSettings where GEOIP_FILE can't be used */
export async function openDetection(
  config: IdentityConfig,
  em: EntityManager,
  resources: AsyncDisposableStack,
  logger: Logger,
): Promise<Detection> {
  const places = await openPlaces(config.geoipFile, resources, logger);
  const policy = detectionPolicy(config);
  return {
    detection: new Detector({ policy, places, history: new StoredSignInHistory(em) }),
    detectionPolicy: policy,
    accountTags: new AccountTags(encryptionKeys(config).primary.key),
  };
}
