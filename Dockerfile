FROM rust:1-slim-bookworm AS builder
WORKDIR /build
RUN rustup component add llvm-tools
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY rules rules
COPY bench bench
RUN bench/dist.sh

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=builder /build/target/shipped/legato /legato
# Commands find legato.yaml in the working directory.
WORKDIR /etc/legato
USER nonroot
# The configuration has to listen on 0.0.0.0:8080 to be reached from outside.
EXPOSE 8080
HEALTHCHECK CMD ["/legato", "health"]
ENTRYPOINT ["/legato"]
CMD ["serve", "--config", "/etc/legato/legato.yaml"]
