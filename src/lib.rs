//! Legato: a protocol-version compatibility proxy.
//!
//! It stands in front of backends that speak one version of an API and translates what clients of other versions
//! send and receive: targets, headers, status and bodies of HTTP calls, and WebSocket messages. What a version
//! changed is declared once, in rule files that are reloaded while the proxy runs; both directions are derived, and
//! every chain of changes is fused to one program per message.
//!
//! # Bird's-eye view
//!
//! A **pure core** knows bytes and rules, and does no I/O, reads no clock and logs nothing. A **data plane** forwards
//! traffic by one immutable [`Snapshot`](snapshot::Snapshot) per request. A **control plane** makes snapshots and
//! publishes them. The two planes meet in [`snapshot`] and nowhere else.
//!
//! ```text
//!   rule files ──> store ──> rules::compile ──> RuleSet ─┐                       legato.yaml ──> config
//!                  (reload: compile, test, publish)      ├──> Snapshot ──> http, ws ──> backend
//!                                                        │                    │
//!   client ──> http::server ──> version ──> rules::Pair ─┘    json::Translator (bodies, messages)
//! ```
//!
//! # The life of a rule
//!
//! [`yaml`] makes a tree that knows its places, [`rules`] an API's changes with [`diagnostic`]s for everything that is
//! wrong. What changes say of shapes becomes blocks about the calls and messages that have them. Each op
//! ([`rules::lens`], one file each) lowers to a few primitive edits of one direction
//! ([`json::edit`]). For a client version and a backend version, the edits of all changes between them are strung
//! together per call and message, and [`json::Program::fuse`] turns them into one flat program. A
//! [`json::Translator`] runs it over a body in chunks, in one pass: what nobody edits leaves as it came.
//! From the same edits [`openapi`] derives a version's contract from that of the version before it.
//! The life of a request is told in [`http`], that of a socket in [`ws`], that of a Socket.IO session in [`socketio`].
//!
//! # Threads
//!
//! Each [`worker`] is a thread with a runtime of its own; it serves what it accepts, with its own connections to
//! backends, from the first byte to the last. The control plane has a runtime of its own on the main thread, and what
//! takes it long (compiling rules, writing the access log) runs on threads of its own, so that no client waits for it.
//!
//! # Layers
//!
//! | layer | modules | may import |
//! |---|---|---|
//! | 0 pure values | [`json`] [`coding`] [`framing`] [`version`] [`route`] [`yaml`] [`diagnostic`] | each other downwards |
//! | 1 pure compiler | [`rules`], then [`openapi`] and [`draft`] | layer 0 |
//! | 1 pure sessions | [`bridge`] | [`rules`], layer 0 |
//! | 1 leaf shells | [`config`] [`telemetry`] [`failure`] [`tls`] [`worker`] | each other downwards, layer 0 |
//! | 2 resources | [`backend`] [`listen`] | layer 1 |
//! | 3 meeting point | [`snapshot`] | [`rules`], [`backend`], [`telemetry`] |
//! | 4 data plane | [`http`] [`ws`] [`socketio`] | layers 0 to 3 |
//! | 4 control plane | [`store`] [`reload`] [`admin`] | layers 0 to 3, never the data plane |
//! | 5 | [`demo`], [`app`], then [`cli`], then `main` | everything below |
//!
//! # Invariants
//!
//! `tests/it/architecture.rs` holds those that a test can hold.
//!
//! 1. Layers 0 and 1, but for the leaf shells, name no tokio, hyper, metrics, clock, randomness, file or socket.
//! 2. [`http`], [`ws`] and [`socketio`] never name [`store`], [`reload`] or [`admin`].
//! 3. A request loads the snapshot once and passes it down; a socket keeps the one of its handshake. Only [`reload`]
//!    publishes.
//! 4. A rule set that does not compile, or whose own tests fail, never changes traffic.
//! 5. Memory used by [`json`] is bounded by depth and by what must be held, never by a document's length.
//! 6. Bytes that no op touches leave exactly as they came: numbers, escapes, white space, order, duplicates.
//! 7. Any chunking of a document gives the same bytes and the same error at the same offset.
//! 8. Nothing reachable from the network or from a file can panic or run without a bound.
//! 9. Every queue is bounded; every spawned task is owned by something that is drained.
//! 10. A status is chosen only in `http/respond.rs`, a close code only in `ws/session.rs`, a metric is named only in
//!     `telemetry/metrics.rs`.
//! 11. Workers share what is immutable, counters, and the access log's queue; a request never waits for another worker.
//! 12. `serde_json::Value` is never on the translate path.

pub mod json;

pub mod coding;
pub mod framing;

pub mod diagnostic;
pub mod yaml;

pub mod route;
pub mod version;

pub mod rules;

pub mod bridge;

pub mod draft;
pub mod openapi;

pub mod config;
pub mod failure;
pub mod telemetry;
pub mod tls;
pub mod worker;

pub mod backend;
pub mod listen;
pub mod snapshot;

pub mod http;
pub mod socketio;
pub mod ws;

pub mod admin;
pub mod reload;
pub mod store;

pub mod demo;

pub mod app;
pub mod cli;
