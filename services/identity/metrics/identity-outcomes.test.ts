import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../testing/database.ts';
import { failure } from '../../../testing/failure.ts';
import { startTestIdentity, startTestRateLimit, type TestService } from '../../../testing/services.ts';
import { networkOf } from '../domain/attempt-limits.ts';
import { parseIpAddress } from '../domain/ip-address.ts';
import { read } from '../storage/testing-identity.ts';
import { increase, outcomesOf } from './testing-scrape.ts';
import { TestUser } from './testing-user.ts';

const SIGN_INS = 'optix_identity_sign_ins_total';
const REGISTRATIONS = 'optix_identity_registrations_total';
const REFRESHES = 'optix_identity_refreshes_total';

let database: TestDatabase;
let sql: Client;
let service: TestService;
beforeAll(async () => {
  database = await createTestDatabase();
  sql = new Client(database.url);
  await sql.connect();
  service = await startTestIdentity({
    DATABASE_URL: database.url,
    DATABASE_LOCK_TIMEOUT_MS: '10000',
    RATE_LIMIT_ENABLED: 'false',
    HASHING_CONCURRENCY: '1',
    HASHING_QUEUE: '1',
    REFRESH_GRACE_SECONDS: '0',
  });
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await sql.end();
  await database[Symbol.asyncDispose]();
});

/** What was counted of `work`, also where that comes a moment after it. */
async function counted(metric: string, work: () => Promise<unknown>, at = service) {
  const before = await outcomesOf(at, metric);
  await work();
  return async () => increase(before, await outcomesOf(at, metric));
}

const newUser = () => new TestUser(service, sql);

/** Runs `work` while nobody can use a table, and calls `then` once a statement like this waits for it. */
async function whileLocked(
  table: string,
  statement: string,
  work: () => Promise<unknown>,
  then: () => void,
): Promise<void> {
  const holder = new Client(database.url);
  await holder.connect();
  try {
    await holder.query(`begin; lock table user_service.${table} in access exclusive mode`);
    const working = work();
    await vi.waitFor(async () => {
      const { rowCount } = await sql.query(
        `select from pg_locks join pg_stat_activity using (pid)
         where not granted and relation = 'user_service.${table}'::regclass and query like $1`,
        [statement],
      );
      expect(rowCount).toBeGreaterThan(0);
    });
    then();
    await working;
  } finally {
    await holder.end();
  }
}

describe('sign-ins', () => {
  test('with a password', async () => {
    const user = await newUser().register();
    const told = await counted(SIGN_INS, () => user.authenticate());
    expect(await told()).toEqual({ signed_in: 1 });
  });

  test('with a second factor: asked for, wrong, right, and shown again by somebody who is signed in', async () => {
    const user = await newUser().register();
    await user.enrolApp();
    let token = '';
    let told = await counted(SIGN_INS, async () => {
      token = (await user.authenticate()).challenge?.token ?? '';
    });
    expect(await told()).toEqual({ challenged: 1 });

    told = await counted(SIGN_INS, () => failure(user.complete(token, user.wrongCode())));
    expect(await told()).toEqual({ wrong_proof: 1 });

    let accessToken = '';
    told = await counted(SIGN_INS, async () => {
      ({ accessToken } = await user.complete(token, await user.freshCode()));
    });
    expect(await told()).toEqual({ signed_in: 1 });

    told = await counted(SIGN_INS, async () => failure(user.complete(token, await user.freshCode())));
    expect(await told()).toEqual({ invalid: 1 });

    const stepUp = await user.beginStepUp(accessToken);
    told = await counted(SIGN_INS, async () => await user.complete(stepUp, await user.freshCode()));
    expect(await told()).toEqual({ stepped_up: 1 });
  });

  test('refused alike, and told apart here: wrong, unknown, locked and shut out', async () => {
    const user = await newUser().register();
    let told = await counted(SIGN_INS, async () => {
      await failure(newUser().authenticate());
      for (let times = 0; times < 5; times += 1) await failure(user.authenticate('not the password'));
    });
    expect(await told()).toEqual({ wrong_credentials: 6 });

    const suspended = await newUser().register();
    await sql.query("update user_service.users set status = 'suspended' where email = $1", [suspended.email]);
    // Whatever the password: whoever reads the counts must not learn from them that a guess was right.
    for (const password of [user.password, 'not the password']) {
      told = await counted(SIGN_INS, () => failure(user.authenticate(password)));
      expect(await told()).toEqual({ locked: 1 });
      told = await counted(SIGN_INS, () => failure(suspended.authenticate(password)));
      expect(await told()).toEqual({ not_allowed: 1 });
    }
  });

  test('of a network that is locked out are limited, as their callers are told', async () => {
    const user = newUser();
    await sql.query(
      `insert into user_service.sign_in_throttles (network, failures, last_failure_at, locked_until)
       values ($1, 100, now(), now() + interval '1 min')`,
      [networkOf(read(parseIpAddress(user.device.ipAddress)))],
    );
    const told = await counted(SIGN_INS, () => failure(user.authenticate()));
    expect(await told()).toEqual({ limited: 1 });
  });

  test('with bad input are invalid', async () => {
    const { auth } = newUser().clients;
    const told = await counted(SIGN_INS, async () => {
      await failure(auth.authenticate({ email: 'ada' }));
      await failure(auth.completeChallenge({ challengeToken: '' }));
    });
    expect(await told()).toEqual({ invalid: 2 });
  });

  test('above what can be hashed are overloaded, with exact numbers', async () => {
    const user = await newUser().register();
    const told = await counted(SIGN_INS, async () => {
      const attempts = Array.from({ length: 10 }, () => user.authenticate('not the password'));
      for (const { status } of await Promise.allSettled(attempts)) expect(status).toBe('rejected');
    });
    const { overloaded = 0, wrong_credentials = 0, ...others } = await told();
    expect(overloaded).toBeGreaterThan(0);
    expect(wrong_credentials).toBeGreaterThan(0);
    expect({ sum: overloaded + wrong_credentials, others }).toEqual({ sum: 10, others: {} });
  });

  test('that their callers gave up count as what happened, once', async () => {
    const user = await newUser().register();
    for (const [table, statement, outcome] of [
      ['users', '%password_hash%', 'canceled'],
      // Locked where the session is written already.
      ['refresh_token_families', 'insert%', 'signed_in'],
    ] as const) {
      const caller = new AbortController();
      const told = await counted(SIGN_INS, () =>
        whileLocked(
          table,
          statement,
          () => failure(user.authenticate(user.password, { signal: caller.signal })),
          () => caller.abort(),
        ),
      );
      await vi.waitFor(async () => expect(await told()).toEqual({ [outcome]: 1 }));
    }
  });

  test('that end as nobody has foreseen have failed', async () => {
    const user = await newUser().register();
    await sql.query('alter table user_service.sign_in_throttles rename column network to renamed');
    const told = await counted(SIGN_INS, () => failure(user.authenticate()));
    await sql.query('alter table user_service.sign_in_throttles rename column renamed to network');
    expect(await told()).toEqual({ failed: 1 });
  });
});

test('registrations: made, taken, invalid and overloaded', async () => {
  const user = newUser();
  let told = await counted(REGISTRATIONS, () => user.register());
  expect(await told()).toEqual({ registered: 1 });
  told = await counted(REGISTRATIONS, () => failure(user.register()));
  expect(await told()).toEqual({ taken: 1 });
  told = await counted(REGISTRATIONS, () => failure(user.clients.auth.register({ email: user.email })));
  expect(await told()).toEqual({ invalid: 1 });

  told = await counted(REGISTRATIONS, () =>
    Promise.allSettled(Array.from({ length: 10 }, () => newUser().register())),
  );
  const { overloaded = 0, registered = 0, ...others } = await told();
  expect(overloaded).toBeGreaterThan(0);
  expect({ sum: overloaded + registered, others }).toEqual({ sum: 10, others: {} });
});

test('refreshes: bought, refused, invalid, and reused, which one of many ends the session for', async () => {
  const user = await newUser().register();
  const { refreshToken: first } = await user.authenticate();
  let told = await counted(REFRESHES, () => user.refresh(first));
  expect(await told()).toEqual({ refreshed: 1 });

  told = await counted(REFRESHES, () =>
    Promise.all(Array.from({ length: 5 }, () => failure(user.refresh(first)))),
  );
  expect(await told()).toEqual({ reused: 1, refused: 4 });

  told = await counted(REFRESHES, async () => {
    await failure(user.refresh('unknown'));
    await failure(user.refresh('x'.repeat(513)));
  });
  expect(await told()).toEqual({ refused: 1, invalid: 1 });
});

test('with a limiter: what it denies is limited, and without it nothing is available', async () => {
  const limiter = await startTestRateLimit({});
  await using limited = await startTestIdentity({
    DATABASE_URL: database.url,
    RATELIMIT_ADDRESS: limiter.grpcAddress,
    RATELIMIT_TIMEOUT_MS: '2000',
    REFRESH_GRACE_SECONDS: '0',
  });
  const user = await new TestUser(limited, sql).register();
  let told = await counted(
    SIGN_INS,
    async () => {
      for (let times = 0; times < 5; times += 1) await user.authenticate();
      await failure(user.authenticate());
    },
    limited,
  );
  expect(await told()).toEqual({ signed_in: 5, limited: 1 });
  told = await counted(
    REGISTRATIONS,
    async () => {
      for (let times = 0; times < 3; times += 1) await failure(user.register());
    },
    limited,
  );
  expect(await told()).toEqual({ taken: 2, limited: 1 });
  told = await counted(
    REFRESHES,
    async () => {
      for (let times = 0; times < 11; times += 1) await failure(user.refresh('unknown'));
    },
    limited,
  );
  expect(await told()).toEqual({ refused: 10, limited: 1 });

  await limiter[Symbol.asyncDispose]();
  for (const [metric, call] of [
    [SIGN_INS, () => user.authenticate()],
    [REGISTRATIONS, () => user.register()],
    [REFRESHES, () => user.refresh('unknown')],
  ] as const) {
    told = await counted(metric, () => failure(call()), limited);
    expect(await told()).toEqual({ unavailable: 1 });
  }
});

test('all outcomes are told from the start; nothing of a user ever is', async () => {
  await using fresh = await startTestIdentity({ DATABASE_URL: database.url, RATE_LIMIT_ENABLED: 'false' });
  const text = await (await fetch(`${fresh.httpUrl}/metrics`)).text();
  for (const sample of [
    `${SIGN_INS}{outcome="signed_in"}`,
    `${SIGN_INS}{outcome="canceled"}`,
    `${REGISTRATIONS}{outcome="taken"}`,
    `${REFRESHES}{outcome="reused"}`,
  ]) {
    expect(text).toContain(`${sample} 0\n`);
  }
  const told = await (await fetch(`${service.httpUrl}/metrics`)).text();
  const { rows } = await sql.query<{ id: string; email: string }>('select id, email from user_service.users');
  expect(rows.length).toBeGreaterThan(5);
  for (const { id, email } of rows) {
    expect(told).not.toContain(id);
    expect(told).not.toContain(email);
  }
  expect(told).not.toContain('2001:db8');
});
