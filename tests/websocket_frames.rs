//! What hostile and unlucky clients send in frames, and the close code that they read.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod wire;

use std::time::Duration;

use tickwire::net::{Ended, Limits, Rate, Violation, WebSocket};
use tokio::io::AsyncWriteExt;
use wire::*;

/// Sends `bytes` to a fresh socket and returns the close code that is read.
async fn code_after(server: &Server, bytes: &[u8]) -> u16 {
    let mut client = server.upgraded().await;
    client.send(bytes).await;
    client.read_close_code().await
}

#[tokio::test]
async fn binary_messages_come_back() {
    let server = Server::start(game()).await;
    let mut client = server.upgraded().await;
    for length in [1, 125, 126, 1000, CAP] {
        client.send(&frame(BINARY, &vec![7; length])).await;
        assert_eq!(client.read_frame().await, (BINARY, vec![7; length]));
    }
}

#[tokio::test]
async fn a_frame_right_behind_the_handshake_is_not_lost() {
    let server = Server::start(game()).await;
    let mut client = server.connected().await;
    let early = frame(BINARY, b"early");
    client.send(&[format!("{HANDSHAKE}\r\n").as_bytes(), &early].concat()).await;
    client.read_response().await;
    assert_eq!(client.read_frame().await, (BINARY, b"early".to_vec()));
}

#[tokio::test]
async fn an_unmasked_frame_is_1002() {
    let mut server = Server::start(game()).await;
    assert_eq!(code_after(&server, &[BINARY, 2, b'h', b'i']).await, 1002);
    assert_eq!(server.ended().await, Ended::Violation(Violation::Unmasked));
}

#[tokio::test]
async fn reserved_bits_and_opcodes_are_1002() {
    let server = Server::start(game()).await;
    for reserved in [0xc2, 0xa2, 0x92, 0xf2, 0xc9] {
        assert_eq!(code_after(&server, &frame(reserved, b"x")).await, 1002, "{reserved:x}");
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        assert_eq!(code_after(&server, &frame(0x80 | opcode, b"x")).await, 1002, "{opcode:x}");
    }
}

#[tokio::test]
async fn a_huge_length_is_1009_before_any_payload() {
    let server = Server::start(game()).await;
    for length in [1 << 63, u64::MAX, 1 << 32, CAP as u64 + 1] {
        assert_eq!(code_after(&server, &header(BINARY, length)).await, 1009, "{length:x}");
    }
}

#[tokio::test]
async fn the_cap_is_accepted_and_one_byte_more_is_1009() {
    let server = Server::start(game()).await;
    let mut client = server.upgraded().await;
    client.send(&frame(BINARY, &[1; CAP])).await;
    assert_eq!(client.read_frame().await.1.len(), CAP);
    client.send(&frame(BINARY, &[1; CAP + 1])).await;
    assert_eq!(client.read_close_code().await, 1009);
}

#[tokio::test]
async fn a_fragment_on_a_game_socket_is_1003() {
    let server = Server::start(game()).await;
    assert_eq!(code_after(&server, &header(FIRST_BINARY_FRAGMENT, 9)).await, 1003);
    assert_eq!(code_after(&server, &frame(LAST_FRAGMENT, b"no start")).await, 1002);
}

#[tokio::test]
async fn text_on_a_game_socket_is_1003() {
    let server = Server::start(game()).await;
    assert_eq!(code_after(&server, &frame(TEXT, b"text")).await, 1003);
}

#[tokio::test]
async fn long_and_fragmented_control_frames_are_1002_and_not_answered() {
    let server = Server::start(game()).await;
    for control in [CLOSE, PING, PONG] {
        for length in [126, CAP + 1, 1 << 40] {
            let code = code_after(&server, &header(control, length as u64)).await;
            assert_eq!(code, 1002, "{control:x} of {length}");
        }
        assert_eq!(code_after(&server, &frame(control & 0x0f, b"xy")).await, 1002);
    }
}

#[tokio::test]
async fn a_length_that_is_not_minimal_is_1002() {
    let server = Server::start(game()).await;
    assert_eq!(code_after(&server, &[BINARY, 0xfe, 0, 5, 0, 0, 0, 0]).await, 1002);
    let long = [&[BINARY, 0xff, 0, 0, 0, 0, 0, 0, 1, 0][..], &[0; 4]].concat();
    assert_eq!(code_after(&server, &long).await, 1002);
}

#[tokio::test]
async fn bad_close_frames_are_1002_and_bad_text_in_one_is_1007() {
    let server = Server::start(game()).await;
    assert_eq!(code_after(&server, &frame(CLOSE, &[3])).await, 1002);
    for code in [0u16, 999, 1004, 1005, 1006, 1015, 2999, 5000] {
        let close = frame(CLOSE, &code.to_be_bytes());
        assert_eq!(code_after(&server, &close).await, 1002, "{code}");
    }
    assert_eq!(code_after(&server, &frame(CLOSE, &[3, 232, 0xc3, 0x28])).await, 1007);
}

#[tokio::test]
async fn a_close_frame_is_answered_with_its_code() {
    let mut server = Server::start(game()).await;
    assert_eq!(code_after(&server, &frame(CLOSE, b"\x0f\xa0bye")).await, 4000);
    assert_eq!(server.ended().await, Ended::ByPeer(Some(4000)));

    let mut client = server.upgraded().await;
    client.send(&frame(CLOSE, b"")).await;
    assert_eq!(client.read_frame().await, (CLOSE, vec![]));
    assert_eq!(client.read_to_end().await, b"");
    drop(client);
    assert_eq!(server.ended().await, Ended::ByPeer(None));
}

#[tokio::test]
async fn what_follows_a_close_frame_is_ignored() {
    let server = Server::start(game()).await;
    let bytes = [frame(CLOSE, &[3, 232]), frame(PING, b"x"), frame(BINARY, b"x")].concat();
    assert_eq!(code_after(&server, &bytes).await, 1000);
}

#[tokio::test]
async fn messages_before_a_violation_are_still_answered() {
    let server = Server::start(game()).await;
    let mut client = server.upgraded().await;
    client.send(&[frame(BINARY, b"good"), frame(0x83, b"bad")].concat()).await;
    assert_eq!(client.read_frame().await, (BINARY, b"good".to_vec()));
    assert_eq!(client.read_close().await, (1002, "reserved opcode".to_owned()));
}

#[tokio::test]
async fn the_close_code_reaches_a_client_that_is_still_sending() {
    let server = Server::start(game()).await;
    let mut client = server.upgraded().await;
    client.send(&header(BINARY, 1 << 20)).await;
    client.send_until_closed(&vec![0; 512 * 1024]).await;
    assert_eq!(client.read_close_code().await, 1009);
}

#[tokio::test]
async fn a_ping_is_answered_with_its_payload_and_a_pong_is_not() {
    let server = Server::start(game()).await;
    let mut client = server.upgraded().await;
    let bytes = [frame(PONG, b"unasked"), frame(PING, &[9; 125]), frame(PING, b"")].concat();
    client.send(&bytes).await;
    assert_eq!(client.read_frame().await, (PONG, vec![9; 125]));
    assert_eq!(client.read_frame().await, (PONG, vec![]));
}

#[tokio::test]
async fn ten_thousand_pings_or_pongs_are_1008() {
    let mut server = Server::start(game()).await;
    for control in [PING, PONG] {
        let mut client = server.upgraded().await;
        client.send_until_closed(&frame(control, b"").repeat(10_000)).await;
        let code = loop {
            match client.read_frame().await {
                (PONG, _) => {}
                (CLOSE, payload) => break payload,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(code[..2], 1008u16.to_be_bytes());
        drop(client);
        assert_eq!(server.ended().await, Ended::Violation(Violation::ControlFlood));
    }
}

#[tokio::test]
async fn ten_thousand_empty_messages_are_1008() {
    let mut server = Server::start(game()).await;
    let mut client = server.upgraded().await;
    client.send_until_closed(&frame(BINARY, b"").repeat(10_000)).await;
    assert_eq!(client.read_close_code().await, 1008);
    drop(client);
    assert_eq!(server.ended().await, Ended::Violation(Violation::EmptyFlood));
}

#[tokio::test]
async fn one_pong_waits_however_many_pings_come() {
    const PINGS: u16 = 5000;
    let (ours, theirs) = tokio::io::duplex(64);
    let controls = Rate { burst: u32::from(PINGS), per_second: 1 };
    let socket = WebSocket::over(theirs, b"", &Limits { controls, ..game() });
    let server = tokio::spawn(echo(socket));
    let mut client = RawClient::new(ours);
    // The pipe holds a few pongs; the client reads none before its last ping.
    for ping in 0..PINGS {
        client.send(&frame(PING, &ping.to_be_bytes())).await;
    }
    client.send(&frame(CLOSE, &[3, 232])).await;
    let mut pongs = Vec::new();
    let close = loop {
        match client.read_frame().await {
            (PONG, payload) => pongs.push(payload),
            (CLOSE, payload) => break payload,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(close, [3, 232]);
    let in_the_pipe = 64 / 4 + 2;
    assert!(pongs.len() <= in_the_pipe, "{} pongs waited", pongs.len());
    drop(client);
    assert_eq!(guard(server).await.unwrap(), Ended::ByPeer(Some(1000)));
}

#[tokio::test]
async fn the_pong_that_waits_is_the_newest() {
    let (ours, theirs) = tokio::io::duplex(64);
    let socket = WebSocket::over(theirs, b"", &game());
    tokio::spawn(echo(socket));
    let mut client = RawClient::new(ours);
    for ping in 0..30 {
        client.send(&frame(PING, &[ping; 20])).await;
    }
    let mut last = client.read_frame().await.1;
    // An echo comes after the pong that waits.
    client.send(&frame(BINARY, b"end")).await;
    loop {
        match client.read_frame().await {
            (PONG, payload) => last = payload,
            other => break assert_eq!(other, (BINARY, b"end".to_vec())),
        }
    }
    assert_eq!(last, [29; 20]);
}

#[tokio::test]
async fn a_frame_that_stops_in_the_middle_is_1008_at_the_deadline() {
    let limits = Limits { frame_deadline: Duration::from_millis(50), ..game() };
    let mut server = Server::start(limits).await;
    for part in [1, 3, 7] {
        assert_eq!(code_after(&server, &frame(BINARY, b"slow")[..part]).await, 1008, "{part}");
        assert_eq!(server.ended().await, Ended::Violation(Violation::FrameDeadline));
    }
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_trickles_is_1008_at_the_deadline() {
    let limits = Limits { frame_deadline: Duration::from_secs(5), ..game() };
    let (ours, theirs) = tokio::io::duplex(1024);
    let server = tokio::spawn(echo(WebSocket::over(theirs, b"", &limits)));
    let mut client = RawClient::new(ours);
    let begun = tokio::time::Instant::now();
    for byte in frame(BINARY, &[0; 100]) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if client.stream.write_all(&[byte]).await.is_err() || server.is_finished() {
            break;
        }
        if begun.elapsed() > Duration::from_secs(6) {
            break;
        }
    }
    assert_eq!(client.read_close_code().await, 1008);
    drop(client);
    assert_eq!(server.await.unwrap(), Ended::Violation(Violation::FrameDeadline));
}

#[tokio::test(start_paused = true)]
async fn each_frame_has_its_own_deadline_and_silence_has_none() {
    let limits = Limits { frame_deadline: Duration::from_secs(5), ..game() };
    let (ours, theirs) = tokio::io::duplex(1024);
    tokio::spawn(echo(WebSocket::over(theirs, b"", &limits)));
    let mut client = RawClient::new(ours);
    for _ in 0..5 {
        let message = frame(BINARY, b"in two parts");
        client.send(&message[..3]).await;
        tokio::time::sleep(Duration::from_secs(4)).await;
        client.send(&message[3..]).await;
        assert_eq!(client.read_frame().await.0, BINARY);
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }
}

#[tokio::test]
async fn a_half_close_or_reset_in_mid_frame_ends_the_socket_at_once() {
    // No deadline of the server can be the reason within the guard.
    let hour = Duration::from_secs(3600);
    let mut server =
        Server::start(Limits { frame_deadline: hour, close_deadline: hour, ..game() }).await;
    let mut client = server.upgraded().await;
    client.send(&frame(BINARY, b"half")[..7]).await;
    client.stream.shutdown().await.unwrap();
    assert_eq!(server.ended().await, Ended::Eof { mid_frame: true });

    let mut client = server.upgraded().await;
    client.send(&frame(BINARY, b"unread")).await;
    client.send(&frame(BINARY, b"half")[..7]).await;
    client.stream.readable().await.unwrap();
    // The echo is unread, so this resets the connection.
    drop(client);
    assert!(matches!(server.ended().await, Ended::Failed(_) | Ended::Eof { .. }));
}

#[tokio::test]
async fn a_general_socket_joins_fragments_around_control_frames() {
    let server = Server::start(general()).await;
    let mut client = server.upgraded().await;
    let bytes = [
        frame(FIRST_TEXT_FRAGMENT, b"\xe2\x82"),
        frame(PING, b"between"),
        frame(MIDDLE_FRAGMENT, b""),
        frame(LAST_FRAGMENT, b"\xac"),
    ];
    client.send(&bytes.concat()).await;
    assert_eq!(client.read_frame().await, (PONG, b"between".to_vec()));
    assert_eq!(client.read_frame().await, (TEXT, "€".as_bytes().to_vec()));
}

#[tokio::test]
async fn fragments_out_of_order_are_1002() {
    let server = Server::start(general()).await;
    let start = frame(FIRST_BINARY_FRAGMENT, b"start");
    for intruder in [BINARY, TEXT, FIRST_BINARY_FRAGMENT, FIRST_TEXT_FRAGMENT] {
        let bytes = [&start[..], &frame(intruder, b"x")].concat();
        assert_eq!(code_after(&server, &bytes).await, 1002, "{intruder:x}");
    }
    for orphan in [MIDDLE_FRAGMENT, LAST_FRAGMENT] {
        assert_eq!(code_after(&server, &frame(orphan, b"x")).await, 1002, "{orphan:x}");
    }
}

#[tokio::test]
async fn the_cap_holds_for_the_sum_of_fragments() {
    let server = Server::start(general()).await;
    let fragment = frame(FIRST_BINARY_FRAGMENT, &[1; CAP - 1]);
    let mut client = server.upgraded().await;
    client.send(&[&fragment[..], &frame(LAST_FRAGMENT, b"1")].concat()).await;
    assert_eq!(client.read_frame().await, (BINARY, [vec![1; CAP - 1], vec![b'1']].concat()));
    client.send(&[&fragment[..], &header(LAST_FRAGMENT, 2)].concat()).await;
    assert_eq!(client.read_close_code().await, 1009);
}

#[tokio::test]
async fn bad_text_is_1007_before_the_message_is_complete() {
    let server = Server::start(general()).await;
    let fragment = frame(FIRST_TEXT_FRAGMENT, b"\xf4\x90");
    assert_eq!(code_after(&server, &fragment).await, 1007);
    let mut part = frame(TEXT, b"good \xff and much more that is never sent");
    part.truncate(6 + 6);
    assert_eq!(code_after(&server, &part).await, 1007);
    assert_eq!(code_after(&server, &frame(TEXT, b"\xe2\x82")).await, 1007);
}
