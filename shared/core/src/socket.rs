//! A text that is to leave over a WebSocket, and what came of it. Plain data: what is said is a channel's business, who carries
//! it the port [`crate::ports::Sockets`]'s.

use std::fmt;

use crate::channel::Reply;

/// One text frame over a connection of its own: connect, send, close. Prints no more than how long it is: all else may hold
/// a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// The whole `ws` or `wss` URL, already encoded.
    pub url: String,
    /// Headers of the handshake, besides its own.
    pub headers: Vec<(String, String)>,
    /// The text.
    pub text: String,
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({} bytes)", self.text.len())
    }
}

/// What a server made of a [`Frame`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Framed {
    /// It opened no WebSocket, and was sent no frame: this is its answer to the handshake.
    Refused(Reply),
    /// The frame was written, and then the server closed with this code; `None`: without one, or it just hung up.
    /// <https://www.rfc-editor.org/rfc/rfc6455#section-7.4>
    Closed(Option<u16>),
}

impl Framed {
    /// The HTTP status of the handshake.
    pub fn status(&self) -> u16 {
        match self {
            Self::Refused(reply) => reply.status,
            Self::Closed(_) => 101,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_url_nor_headers_nor_text_are_printed() {
        let frame = Frame {
            url: "wss://ws.example.com/S3cr3t".to_owned(),
            headers: vec![("authorization".to_owned(), "S3cr3t".to_owned())],
            text: "S3cr3t".to_owned(),
        };
        assert_eq!(format!("{frame:?}"), "Frame(6 bytes)");
    }
}
