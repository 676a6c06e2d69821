//! Sockets without rules: bytes from one side to the other, as they come.

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;

/// Carries bytes until both sides have ended; how many went to the client.
pub(super) async fn run(client: Upgraded, backend: Upgraded) -> u64 {
    let (mut client, mut backend) = (TokioIo::new(client), TokioIo::new(backend));
    // How a connection broke is of no interest to the other side: it ends as well.
    copy_bidirectional(&mut client, &mut backend).await.map_or(0, |(_, to_client)| to_client)
}
