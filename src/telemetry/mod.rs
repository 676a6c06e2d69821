//! What operators see: metrics, access records, traces, and a log of what the proxy itself does.

pub mod access_log;
pub mod log;
pub mod metrics;
pub mod trace;
pub mod usage;
