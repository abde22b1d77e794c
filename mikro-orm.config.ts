import { ormOptions } from './services/identity/storage/mikro-orm.config.ts';

/** For MikroORM's command line only (`MIKRO_ORM_CLI_PREFER_TS=1 mikro-orm migration:create`). The services don't read it. */
export default ormOptions({
  databaseUrl: process.env['DATABASE_URL'] ?? 'postgresql://postgres@127.0.0.1:5432/optix',
});
