//! The listening socket, and the options of the sockets that it accepts.
//!
//! What waits in the kernel is old by the time it arrives: buffers are small, so
//! that a client which does not keep up is noticed, and nothing waits for more.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

/// Bytes that the kernel keeps of what was sent and not acknowledged.
const SEND_BUFFER_BYTES: usize = 32 * 1024;
/// A socket is writable while less than this is unsent.
#[cfg(target_os = "linux")]
const UNSENT_BYTES: u32 = 16 * 1024;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// Listens on an address. Accepted sockets inherit the size of the send buffer.
///
/// # Errors
/// If the address cannot be had.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart need not wait for the connections of the run before.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Sets the options of a socket that was just accepted.
///
/// # Errors
/// If the peer is gone already.
pub fn accepted(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    #[cfg(target_os = "linux")]
    socket.set_tcp_notsent_lowat(UNSENT_BYTES)?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_accepted_socket_buffers_little() {
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (accepted_stream, _client) = tokio::join!(listener.accept(), client);
        let stream = accepted_stream.unwrap().0;
        accepted(&stream).unwrap();
        let socket = SockRef::from(&stream);
        assert!(stream.nodelay().unwrap());
        // Linux counts its own bookkeeping as well, and says twice the size.
        assert!(socket.send_buffer_size().unwrap() <= 2 * SEND_BUFFER_BYTES);
        #[cfg(target_os = "linux")]
        assert_eq!(socket.tcp_notsent_lowat().unwrap(), UNSENT_BYTES);
    }
}
