//! Legato: a protocol-version compatibility proxy.

pub mod config;
pub mod demo;
pub mod diagnostic;
pub mod json;
pub mod route;
pub mod rules;
pub mod version;
pub mod yaml;
