//! The network edge: HTTP up to the upgrade, then strict WebSockets.
//!
//! In the order of the data: [`serve_http`] reads requests from a stream within
//! deadlines; [`accept_upgrade`] judges one that asks for a WebSocket and gives
//! the raw stream back; [`WebSocket`] carries messages over it. All three are
//! generic over the stream, so the same code runs over TCP, TLS and a simulated
//! network.
//!
//! What is absent: rooms, seats, and what the messages mean.

mod backlog;
mod bucket;
mod close;
mod decoder;
mod gate;
mod http;
mod intake;
mod limits;
mod linger;
mod listen;
mod sockets;
#[cfg(feature = "tls")]
mod tls;
mod transport;
mod upgrade;
mod utf8;
mod websocket;

pub use backlog::{SERVER_HEADER_BYTES_MAX, put_server_header};
pub use bucket::Rate;
pub use close::{CLOSE_TEXT_BYTES_MAX, CONTROL_BYTES_MAX, Ended, Violation};
pub use decoder::{Counts, Message};
pub use gate::Opcode;
pub(crate) use http::http_cause;
pub use http::{HttpLimits, serve_http, serve_http_until};
pub(crate) use intake::Intake;
pub use limits::{Limits, Mode};
pub use listen::{accepted, bind};
pub(crate) use sockets::Ready;
#[cfg(target_os = "linux")]
pub use sockets::{Direct, DirectRead, DirectWrite};
pub use sockets::{Group, SocketKey, Sockets};
#[cfg(feature = "tls")]
pub use tls::{Portable, TlsAcceptor, TlsError, acceptor};
pub use transport::{Settled, Stays, Transport};
pub use upgrade::{Origins, Refusal, UpgradePolicy, Upgraded, Upgrading, accept_upgrade};
pub use websocket::{Flushed, SendError, WebSocket};
