//! The server's side of a WebSocket to which one text is sent, in an HTTP server that has agreed to it.

use futures_util::StreamExt;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, handshake::derive_accept_key, protocol::Role},
};

use crate::Answer;

/// What agrees to a handshake with that key. <https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2>
pub(crate) fn agreed(answer: Answer, key: &str) -> Answer {
    let accept = derive_accept_key(key.as_bytes());
    answer.header("connection", "Upgrade").header("upgrade", "websocket").header("sec-websocket-accept", accept)
}

/// Hears the first text, and then whatever there is to the client's farewell, which is returned.
pub(crate) async fn hear(upgrade: OnUpgrade, heard: impl FnOnce(String)) {
    let stream = TokioIo::new(upgrade.await.unwrap());
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    let Some(Ok(Message::Text(text))) = socket.next().await else { panic!("the first frame is no text") };
    heard(text.to_string());
    while let Some(Ok(_)) = socket.next().await {}
}
