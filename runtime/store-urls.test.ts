import { describe, expect, it } from 'vitest';
import { plaintextDatabaseWarning, plaintextRedisWarning } from './store-urls.ts';

const database = (rest: string) => plaintextDatabaseWarning(`postgresql://optix:s3cret@${rest}`);

describe('plaintextDatabaseWarning', () => {
  it.each([
    'db.example/optix',
    'db.example/optix?sslmode=disable',
    'db.example/optix?sslmode=verify-full&sslmode=disable',
    'db.example/optix?ssl=false',
    'db.example/optix?ssl=0',
    'localhost/optix?host=db.example',
    '10.0.0.1/optix',
    'localhost.example/optix',
  ])('warns of cleartext: %s', (rest) => {
    expect(database(rest)).toMatch(/^DATABASE_URL .* in cleartext$/);
  });

  it.each([
    'db.example/optix?sslmode=no-verify',
    'db.example/optix?ssl=no-verify',
    'db.example/optix?uselibpqcompat=true&sslmode=require',
    'db.example/optix?uselibpqcompat=true&sslmode=prefer&sslrootcert=/ca.pem',
  ])('warns of TLS that verifies nothing: %s', (rest) => {
    expect(database(rest)).toMatch(/^DATABASE_URL asks for TLS without verification/);
  });

  it.each([
    'db.example/optix?sslmode=verify-full',
    'db.example/optix?sslmode=require',
    'db.example/optix?sslmode=prefer',
    'db.example/optix?ssl=true',
    'db.example/optix?sslrootcert=/ca.pem',
    'db.example/optix?uselibpqcompat=true&sslmode=require&sslrootcert=/ca.pem',
    'localhost/optix',
    '127.0.0.1:5432/optix',
    '[::1]/optix',
    '%2Fvar%2Frun%2Fpostgresql/optix',
    'db.example/optix?host=/var/run/postgresql',
  ])('has nothing to say of %s', (rest) => {
    expect(database(rest)).toBeUndefined();
  });

  it('never repeats the URL', () => {
    expect(database('db.example/optix')).not.toMatch(/s3cret|db\.example/);
  });
});

describe('plaintextRedisWarning', () => {
  it.each(['redis://:s3cret@redis', 'rediss://a,redis://b', 'redis://127.0.0.1,redis://10.0.0.1'])(
    'warns of cleartext over a network: %s',
    (url) => {
      expect(plaintextRedisWarning(url)).toBe(
        'REDIS_URL starts with redis://: its password and data travel in cleartext',
      );
    },
  );

  it.each(['rediss://redis', 'redis://localhost:6379/1', 'redis://127.0.0.1,redis://[::1]'])(
    'has nothing to say of %s',
    (url) => {
      expect(plaintextRedisWarning(url)).toBeUndefined();
    },
  );
});
