import { ADDRESSES } from './service-address.ts';

/** Where identity's gRPC API is unless `--address` says. */
export const IDENTITY_ADDRESS = ADDRESSES.identity;

/** The end of the help of each command that calls identity. */
export const IDENTITY_FLAGS_HELP = `  --address H:P         where identity's gRPC API is (${IDENTITY_ADDRESS})
  --tls, --ca FILE      speak TLS; trust these certificates only
  --cert FILE           show this certificate; --cert-key FILE its private key
  --json                print JSON, as docs/api describes it

Calls with the API key in OPTIX_API_KEY.`;
