//! The socket: plain, and set up as the bots need it.

use std::io;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::Address;

pub(crate) type Stream = TcpStream;

/// How long a TCP connection may take.
pub(super) const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// What the kernel keeps for a bot that reads slowly: little, so that the server soon feels it.
const NARROW_BYTES: usize = 4096;

/// Opens a connection; a narrow one has a small window.
pub(super) async fn connect(address: &Address, narrow: bool) -> io::Result<Stream> {
    if address.tls {
        let why = format!(
            "{address} has TLS, which bots do not speak; load the server itself, \
                           or a proxy in front of it, over http"
        );
        return Err(io::Error::new(io::ErrorKind::Unsupported, why));
    }
    let connecting = async {
        let mut failed = None;
        for place in lookup_host((address.host.as_str(), address.port)).await? {
            match TcpStream::connect(place).await {
                Ok(stream) => return Ok(stream),
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.unwrap_or_else(|| io::Error::other("the name has no address")))
    };
    let late = |_| io::Error::from(io::ErrorKind::TimedOut);
    let stream = timeout(CONNECT_WITHIN, connecting).await.map_err(late)??;
    stream.set_nodelay(true)?;
    if narrow {
        SockRef::from(&stream).set_recv_buffer_size(NARROW_BYTES)?;
    }
    Ok(stream)
}
