//! From what API Gateway tells of a connection to [`bellhop_mpush`].
//!
//! Promises: whatever is said to a client goes the way that messages go to it, so that the answer to AUTH comes before them;
//! a client that could not be connected is let go, and comes again. Left to others: how long a connection may be silent, which
//! is API Gateway's own rule (ten minutes, and two hours at most).
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-route-keys-connect-disconnect.html>

use bellhop_core::{StoreError, model::ConnectionId, ports::Pushed};
use bellhop_mpush::{Heard, Mpush};
use serde_json::Value;

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

/// Does what follows. Whoever asked has been answered, or let go, even where the store failed.
pub async fn handle(mpush: &Mpush, connection: &ConnectionId, happened: Happened) -> Result<(), StoreError> {
    match happened {
        Happened::Opened => Ok(()),
        Happened::Said(text) => {
            let heard = hear(mpush, connection, &text).await;
            if heard.is_err() {
                // it is not known who speaks, or what waits does not come: the client comes again
                mpush.api.ports.transport.live.close(connection).await;
            }
            heard
        }
        Happened::Closed => {
            mpush.left(connection).await;
            Ok(())
        }
    }
}

async fn hear(mpush: &Mpush, connection: &ConnectionId, text: &str) -> Result<(), StoreError> {
    let ports = &mpush.api.ports;
    // whoever asked may be gone by now
    let say = async |packet: Value| ports.transport.live.push(connection, &packet.to_string()).await;
    let session = ports.clients.session(connection).await?;
    match mpush.heard(session.as_ref(), text).await {
        Heard::Nothing => {}
        Heard::Say(packet) => drop(say(packet).await),
        Heard::Joins(packet, joins) => {
            mpush.meet(connection, &joins).await?;
            // what waits for the client comes after this answer
            if say(packet).await == Pushed::Sent {
                mpush.join(connection, &joins).await?;
            } else {
                mpush.left(connection).await;
                ports.transport.live.close(connection).await;
            }
        }
        Heard::Sent(pending) => drop(say(pending.reply().await).await),
    }
    Ok(())
}
