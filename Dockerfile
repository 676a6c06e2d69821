FROM rust:1-slim-bookworm AS builder
WORKDIR /build

# The dependencies, in a layer that only a change of the manifest or the lock file renews.
COPY Cargo.toml Cargo.lock ./
RUN mkdir -p src bench/proxy bench/ws \
    && echo 'fn main() {}' | tee src/main.rs bench/translate.rs bench/proxy/main.rs bench/ws/main.rs > src/lib.rs \
    && cargo build --locked --profile dist --bin legato \
    && rm -r src bench

COPY src src
COPY rules rules
COPY bench bench
# Cargo compares times of modification, and those of the copied files may be older than the layer above.
RUN find src -name '*.rs' -exec touch {} + \
    && cargo build --locked --profile dist --bin legato

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=builder /build/target/dist/legato /legato
# Commands find legato.yaml in the working directory.
WORKDIR /etc/legato
USER nonroot
# The configuration has to listen on 0.0.0.0:8080 to be reached from outside.
EXPOSE 8080
HEALTHCHECK CMD ["/legato", "health"]
ENTRYPOINT ["/legato"]
CMD ["serve", "--config", "/etc/legato/legato.yaml"]
