# syntax=docker/dockerfile:1
# Two images: `doorward` (the default), and `redis`, Redis with the settings that Doorward needs.
#   docker build --tag doorward .
#   docker build --tag doorward-redis --target redis .

FROM rust:1-slim-bookworm AS build
WORKDIR /src
COPY . .
# The files keep the times of the checkout, which may be older than the last build in the cache. Without `touch`, cargo would
# then take that build for the present one.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    touch src/lib.rs src/main.rs \
    && cargo build --release --locked \
    && cp target/release/doorward /usr/local/bin/doorward

FROM redis:7.2-bookworm AS redis
# With modes of their own: a clone under umask 077 has files that Redis's user could not read.
COPY --chmod=644 config/redis.conf config/redis-users.acl /etc/redis/

# The C library, the certificate authorities for rediss:// URLs, no shell.
FROM gcr.io/distroless/cc-debian12:nonroot AS doorward
COPY --from=build --chmod=755 /usr/local/bin/doorward /usr/local/bin/doorward
# By number: Kubernetes' runAsNonRoot accepts no name. This user has to be able to read the files with secrets.
USER 65532:65532
# The loopback address of a container cannot be reached from outside. Publish port 8081, the admin plane, only to the
# machines that need it.
ENV DOORWARD_LISTEN=0.0.0.0:8080 DOORWARD_ADMIN_LISTEN=0.0.0.0:8081
# Limits the wait for a name server that does not answer.
ENV RES_OPTIONS="timeout:1 attempts:2"
EXPOSE 8080 8081
# Process 1 is the server: its flags and variables say which address to ask.
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s \
    CMD ["/usr/local/bin/doorward", "healthcheck", "--pid", "1"]
ENTRYPOINT ["/usr/local/bin/doorward"]
