//! From what API Gateway tells of a connection to [`bellhop_mpush`].
//!
//! Promises: whatever is said to a client goes the way that messages go to it, so that the answer to AUTH comes before them;
//! a client that could not be connected is let go, and comes again. Left to others: how long a connection may be silent, which
//! is API Gateway's own rule (ten minutes, and two hours at most).
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-route-keys-connect-disconnect.html>

use bellhop_core::{model::ConnectionId, ports::Pushed};
use bellhop_mpush::{Heard, Mpush};

/// What happened to a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// It is there; who it is, it says next.
    Opened,
    /// It said something.
    Said(String),
    /// It is gone.
    Closed,
}

/// Does what follows.
pub async fn handle(mpush: &Mpush, connection: &ConnectionId, happened: Happened) {
    match happened {
        Happened::Opened => {}
        Happened::Said(text) => hear(mpush, connection, &text).await,
        Happened::Closed => mpush.left(connection).await,
    }
}

async fn hear(mpush: &Mpush, connection: &ConnectionId, text: &str) {
    let ports = &mpush.api.ports;
    let live = &ports.transport.live;
    let session = match ports.clients.session(connection).await {
        Ok(session) => session,
        Err(error) => {
            tracing::error!(%error, "nobody knows who is on a connection; it is closed, and comes again");
            return live.close(connection).await;
        }
    };
    match mpush.heard(session.as_ref(), text).await {
        Heard::Nothing => {}
        Heard::Say(packet) => drop(live.push(connection, &packet.to_string()).await), // whoever asked may be gone
        Heard::Joins(packet, joins) => {
            // what waits for the client comes after this answer
            if live.push(connection, &packet.to_string()).await != Pushed::Sent {
                return live.close(connection).await;
            }
            if let Err(error) = mpush.join(connection, &joins).await {
                tracing::error!(%error, "a client could not be connected; it will come again");
                live.close(connection).await;
            }
        }
        Heard::Sent(pending) => drop(live.push(connection, &pending.reply().await.to_string()).await), // likewise
    }
}
