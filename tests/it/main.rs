//! All integration tests, in one binary: each binary links the whole crate again, and one shares its helpers
//! without warnings about those that a file does not use.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers are tests too: what they did not expect is a failure with its place"
)]

mod support;

mod access_log;
mod admin;
mod architecture;
mod bad_input;
mod bridge;
mod carry;
mod cli;
mod cli_bad_input;
mod demo;
mod diagnostics;
mod diff;
mod docs;
mod draft;
mod engine;
mod engineio;
mod fused;
mod hostile_json;
mod hostile_yaml;
mod http;
mod http_backend_tls;
mod http_backends;
mod http_bodies;
mod http_codings;
mod http_crossing;
mod http_failures;
mod http_faults;
mod http_floods;
mod http_health;
mod http_hints;
mod http_hostile;
mod http_sources;
mod http_speaks;
mod http_streams;
mod http_syntax;
mod http_translation;
mod http_urls;
mod http_versions;
mod laws;
mod listeners;
mod losses;
#[cfg(target_os = "linux")]
mod memory;
mod openapi;
mod openapi_random;
mod readme;
mod reference;
mod reload;
mod reload_load;
mod rules;
mod schema;
mod shapes;
mod socketio;
mod socketio_packets;
mod tools;
mod tracing;
mod unordered;
mod ws;
mod ws_compressed;
mod ws_ends;
mod ws_first_message;
mod ws_http2;
mod ws_translation;
mod ws_violations;
