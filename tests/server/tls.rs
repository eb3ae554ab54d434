//! The same over TLS as over TCP, and what only TLS has.

use std::sync::Arc;
use std::time::Duration;

use tickwire::config::{Config, TlsFiles};
use tickwire::game::schema_of;
use tickwire::server::Server;
use tickwire_protocol::close::CloseReason;
use tickwire_protocol::message::{ClientMessage, Hello, ServerMessage, VERSION};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::play::*;
use crate::until;
use crate::wire::guard;

/// A certificate for localhost, and its key.
fn files() -> Option<TlsFiles> {
    let (certificates, key) = ("tests/tls/chain.pem".into(), "tests/tls/key.pem".into());
    Some(TlsFiles { certificates, key })
}

/// A client that trusts the certificate of these tests.
async fn tls(server: &Running) -> TlsStream<TcpStream> {
    let certificate = CertificateDer::from_pem_file("tests/tls/chain.pem").unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let stream = TcpStream::connect(server.address).await.unwrap();
    let name = "localhost".try_into().unwrap();
    guard(TlsConnector::from(Arc::new(config)).connect(name, stream)).await.unwrap()
}

/// What a client goes through that loses its connection once, whatever the connection is:
/// it joins, plays, is answered, and resumes with what it has applied.
async fn joins_plays_and_resumes<S: AsyncRead + AsyncWrite + Unpin>(
    server: &Running,
    connect: impl AsyncFn() -> S,
) {
    let schema = Some(schema_of::<Tally>().unwrap().hash());
    let ticket = server.handle.join(any_room()).await.unwrap();
    let mut player = Player::over(connect().await, &ticket.token).await;
    let number = player.welcome().await;
    for _ in 0..20 {
        player.next_frame().await;
    }
    player.ask(Ask::Nothing).await;
    loop {
        let message = player.message().await;
        match ServerMessage::read(&message).unwrap() {
            ServerMessage::Reply { id, outcome } => {
                break assert_eq!((id, outcome.is_ok()), (1, true));
            }
            ServerMessage::Frame(_) => {}
            other => panic!("{other:?}"),
        }
    }
    let (token, applied) = (player.token.clone(), player.tick);
    drop(player);
    let mut again = Player::upgraded(connect().await).await;
    let hello = Hello { version: VERSION, schema, token: &token, applied: Some(applied) };
    again.say(&ClientMessage::Hello(hello)).await;
    let message = again.message().await;
    let Ok(ServerMessage::Welcome(welcome)) = ServerMessage::read(&message) else {
        panic!("not a welcome: {message:?}");
    };
    assert_eq!((welcome.player, welcome.baseline), (number, Some(applied)));
    again.tick = applied;
    for _ in 0..20 {
        let before = again.tick;
        assert!(again.next_frame().await > before);
    }
}

#[tokio::test]
async fn a_client_that_loses_its_connection_goes_on_over_tcp() {
    let server = Running::start(config()).await;
    let connect = async || TcpStream::connect(server.address).await.unwrap();
    joins_plays_and_resumes(&server, connect).await;
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_loses_its_connection_goes_on_over_tls() {
    let server = Running::start(Config { tls: files(), ..config() }).await;
    joins_plays_and_resumes(&server, async || tls(&server).await).await;
    server.stop().await;
}

#[tokio::test]
async fn a_player_comes_over_tls() {
    let drain = Duration::from_secs(30);
    let server = Running::start(Config { tls: files(), drain, ..config() }).await;
    let ticket = server.handle.join(any_room()).await.unwrap();
    let mut player = Player::over(tls(&server).await, &ticket.token).await;
    player.welcome().await;
    for _ in 0..20 {
        player.next_frame().await;
    }
    let mut silent = server.raw().await;
    silent.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(!silent.read_to_end().await.starts_with(b"HTTP"), "nothing without TLS");
    let done = server.begin_to_stop();
    assert_eq!(player.ending().await, CloseReason::Restart);
    guard(done).await.unwrap();
}

#[tokio::test]
async fn a_handshake_of_tls_takes_a_place() {
    let config = Config { tls: files(), connections_max: 1, ..config() };
    let server = Running::start(config).await;
    let _silent = server.raw().await;
    guard(until(|| server.handle.connections() == 1)).await;
    assert_eq!(server.raw().await.read_to_end().await, b"");
    assert_eq!(server.handle.metrics().await.front.no_place, 1);
    server.stop().await;
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_is_named() {
    let named = |certificates: &str, key: &str| {
        Some(TlsFiles { certificates: certificates.into(), key: key.into() })
    };
    for (tls, name) in [
        (named("tests/tls/none.pem", "tests/tls/key.pem"), "tests/tls/none.pem: "),
        (named("tests/tls/key.pem", "tests/tls/key.pem"), "tests/tls/key.pem: no certificate"),
        (named("tests/tls/chain.pem", "tests/tls/chain.pem"), "tests/tls/chain.pem: "),
    ] {
        let error = Server::builder().config(Config { tls, ..config() }).bind().await.unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
}
