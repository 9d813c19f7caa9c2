# syntax=docker/dockerfile:1
FROM rust:1-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked && cp target/release/doorward /usr/local/bin/doorward

FROM debian:bookworm-slim
# The certificate authorities are for rediss:// URLs.
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
RUN useradd --system --no-create-home --shell /usr/sbin/nologin doorward
COPY --from=build /usr/local/bin/doorward /usr/local/bin/doorward
USER doorward
# The loopback address of a container cannot be reached from outside. Publish port 8081, the admin plane, only to the
# machines that need it.
ENV DOORWARD_LISTEN=0.0.0.0:8080 DOORWARD_ADMIN_LISTEN=0.0.0.0:8081
# Limits the wait for a name server that does not answer.
ENV RES_OPTIONS="timeout:1 attempts:2"
EXPOSE 8080 8081
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s CMD ["doorward", "healthcheck"]
ENTRYPOINT ["doorward"]
