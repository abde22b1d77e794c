/** The oldest release of PostgreSQL that the migrations run on, as `server_version_num` has it. */
export const LEAST_VERSION = 150_000;
