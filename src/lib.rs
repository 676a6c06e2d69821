//! Legato: a protocol-version compatibility proxy.

pub mod admin;
pub mod app;
pub mod backend;
pub mod cli;
pub mod config;
pub mod demo;
pub mod diagnostic;
pub mod failure;
pub mod http;
pub mod json;
pub mod reload;
pub mod route;
pub mod rules;
pub mod snapshot;
pub mod store;
pub mod telemetry;
pub mod version;
pub mod ws;
pub mod yaml;
