//! Sockets whose messages are translated.

use futures_util::StreamExt;

use crate::support::proxy::TestProxy;
use crate::support::socket::{self, Socket};

#[tokio::test]
async fn messages_are_translated_in_both_directions() {
    let backend = socket::echo().await;
    let proxy = TestProxy::before(backend.address).await;
    let mut client = socket::open(&proxy, &[("api-version", "2")]).await;
    socket::send(&mut client, r#"{"type":"message.send","body":"hi","n":1.0}"#).await;
    assert_eq!(
        socket::text(&mut client).await,
        r#"{"type":"say","text":"hi","n":1.0}"#,
        "the client's events go up only"
    );
    socket::send(&mut client, r#"{"type":"msg","text":"hi","n":1.0}"#).await;
    assert_eq!(socket::text(&mut client).await, r#"{"type":"message","body":"hi","n":1.0}"#);
}

#[tokio::test]
async fn what_has_no_translation_never_ends_the_socket() {
    let backend = socket::backend("", |mut socket: Socket| async move {
        for text in ["{broken", "not json", r#"{"type":"msg","state":"odd"}"#, r#"{"type":"msg","text":"last"}"#] {
            socket::send(&mut socket, text).await;
        }
        while socket.next().await.is_some() {}
    })
    .await;
    let proxy = TestProxy::before(backend.address).await;
    let mut client = socket::open(&proxy, &[("api-version", "2")]).await;
    for want in ["{broken", "not json", r#"{"type":"message","body":"last"}"#] {
        assert_eq!(socket::text(&mut client).await, want);
    }
}
