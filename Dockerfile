# The image: one static file and the certificates of public authorities. No shell, no other program, no user but a number.
# hack/image-root takes the steps of the first stage without a container; the tests run what it makes in an empty root.

# The Debian of this image is the C library that ends up in the operator. Its version of Rust is that of rust-toolchain.toml.
FROM docker.io/library/rust:1.95.0-bookworm@sha256:6258907abe69656e41cd992e0b705cdcfabcbbe3db374f92ed2d47121282d4a1 AS build
WORKDIR /src
COPY . .
ARG SOURCE_DATE_EPOCH=0
RUN hack/build-release target/image

FROM scratch
ARG VERSION=unreleased
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="jwk-operator" \
      org.opencontainers.image.description="Makes the JSON Web Key Sets of Ory Hydra match JsonWebKeySet resources" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="$SOURCE" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.created="$CREATED"
# For admin APIs and token endpoints over https that name no CA of their own; nothing else needs them.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/target/image/ /
# Four threads of one program need no heap each: a kilobyte of memory less for each set.
ENV MALLOC_ARENA_MAX=1
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/jwk-operator"]
CMD ["run"]
