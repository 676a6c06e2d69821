//! Where clients connect: listening sockets, certificates, and what a load balancer in front says about a client.
//!
//! Up to here nothing is HTTP: [`crate::http`] takes a [`Stream`] and who its client is.

pub mod certificates;
pub mod proxy_protocol;
pub mod sockets;
mod stream;

pub use certificates::Certificates;
pub use stream::Stream;
