//! The echo server that the Autobahn test suite talks to: the production WebSocket
//! with limits for any client. It prints its address and serves until it is killed.

use std::convert::Infallible;
use std::io::Write;

use hyper::service::service_fn;
use tickwire::net::{
    HttpLimits, Limits, Message, Origins, UpgradePolicy, WebSocket, accept_upgrade, serve_http,
};
use tokio::net::{TcpListener, TcpStream};

const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
const LIMITS: Limits = Limits::general(MESSAGE_BYTES_MAX, 2 * MESSAGE_BYTES_MAX);
const POLICY: UpgradePolicy = UpgradePolicy {
    origins: Origins::Any,
    origin_required: false,
    subprotocols: &[],
    subprotocol_required: false,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(serve(stream));
    }
}

async fn serve(stream: TcpStream) {
    let service = service_fn(|mut request| {
        let response = match accept_upgrade::<TcpStream, _>(&mut request, &POLICY) {
            Ok((response, upgrading)) => {
                tokio::spawn(async move {
                    if let Ok(upgraded) = upgrading.stream().await {
                        echo(WebSocket::tcp(upgraded.stream, &upgraded.unread, &LIMITS)).await;
                    }
                });
                response
            }
            Err(refusal) => refusal.response(),
        };
        async { Ok::<_, Infallible>(response) }
    });
    if let Err(error) = serve_http(stream, &HttpLimits::default(), service).await {
        eprintln!("{error}");
    }
}

/// Sends each message back until there are no more, then says goodbye.
async fn echo<R, W>(mut socket: WebSocket<R, W>)
where
    R: tokio::io::AsyncRead + Unpin,
    W: tokio::io::AsyncWrite + Unpin,
{
    while let Ok(message) = socket.next().await {
        let queued = match &message {
            Message::Binary(bytes) => socket.queue_binary(&[], std::slice::from_ref(bytes)),
            Message::Text(text) => match std::str::from_utf8(text) {
                Ok(text) => socket.queue_text(text),
                Err(_) => break,
            },
        };
        if queued.is_err() || socket.flush().await.is_err() {
            break;
        }
    }
    socket.finish().await;
}
