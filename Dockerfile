# One image for both services, the migrations and the command line. What a container runs is its command:
#
#   docker run optix services/identity/main.ts
#   docker run optix services/ratelimit/main.ts
#   docker run optix bin/optix.ts migrate

# The version that the tests run on: package.json's devDependency `node`.
ARG NODE_VERSION=24.21.0

FROM node:${NODE_VERSION}-trixie-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# No package that is needed at run time has an install script to run: nothing is compiled, nothing native is loaded.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund
# Declarations and source maps, a third of what is installed, are for editors.
RUN find node_modules -type f \( -name '*.d.ts' -o -name '*.d.cts' -o -name '*.d.mts' -o -name '*.map' \) -delete
COPY LICENSE ./
COPY bin/ bin/
COPY clients/ clients/
COPY deploy/health-check.ts deploy/
COPY gen/ gen/
COPY migrations/ migrations/
COPY runtime/ runtime/
COPY services/ services/
COPY stack/ stack/
# A checkout made under a strict umask is one that the image's user could not read.
RUN chmod -R a+rX /app

# Node's program alone: the services need no npm, no yarn and no headers, and what is not there needs no updates.
FROM debian:trixie-slim
RUN groupadd --gid 10001 optix && useradd --uid 10001 --gid optix --no-create-home --shell /usr/sbin/nologin optix
COPY --from=build /usr/local/bin/node /usr/local/bin/node
COPY --from=build /app /app
WORKDIR /app
ENV NODE_ENV=production
# Writes nothing, so the root file system may be read-only. By number, so that orchestrators can see it is not root.
USER 10001:10001
EXPOSE 50051 8081 50052 8082
# Without npm or a shell in between: signals reach Node, which drains the calls in flight on the first one.
STOPSIGNAL SIGTERM
ENTRYPOINT ["node"]
CMD ["bin/optix.ts", "--help"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "deploy/health-check.ts"]
LABEL org.opencontainers.image.title="optix" \
  org.opencontainers.image.description="Self-hosted identity and rate-limit gRPC services for trading backends" \
  org.opencontainers.image.licenses="Apache-2.0"
