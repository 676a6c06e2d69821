//! Every integration test in one binary: one link instead of many, and one place for what they share.

mod engine;
mod support;
