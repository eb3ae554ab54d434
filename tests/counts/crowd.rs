//! What is counted: a room of the benchmark's game in which everybody steers on every
//! tick, over real sockets, in lock step with the server. The same players do the same in
//! each run.

use std::time::Duration;

use tickwire_protocol::Message;
use tickwire_protocol::message::{ClientMessage, Inputs};
use tokio::runtime::Builder;
use tokio::time::timeout;

use crate::client::Client;
use crate::clockwork::Clockwork;
use crate::dice::Dice;
use crate::game::{Race, Steer};

pub(crate) const TICK_HZ: u32 = 20;
/// Ticks until every buffer has its size and the room's history is full.
pub(crate) const WARM_TICKS: u32 = 150;
/// The parts that the server's thread is in: what comes before, nothing, what is counted.
const PARTS: usize = 3;
/// Fails a count that hangs; nothing else depends on it.
const GUARD: Duration = Duration::from_secs(120);

/// What was counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Played {
    /// Frames, one for each client and tick.
    pub(crate) client_frames: u64,
    /// Their bytes, with the WebSocket's.
    pub(crate) bytes: u64,
    /// How often the server's thread allocated something.
    #[allow(dead_code, reason = "who counts by other tools does not ask")]
    pub(crate) allocations: u64,
}

impl Played {
    pub(crate) fn bytes_per_client_frame(&self) -> f64 {
        self.bytes as f64 / self.client_frames as f64
    }
}

/// Plays, and counts from [`WARM_TICKS`] on.
pub(crate) fn play(players: usize, ticks: u32) -> Played {
    let server = Clockwork::start::<Race<TICK_HZ>>(PARTS, 1, players);
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let (crowd, bytes) = runtime.block_on(async {
        let play = async {
            let mut crowd = Crowd::join(server).await;
            crowd.ticks(WARM_TICKS).await;
            crowd.server.part_is_over();
            crowd.server.part_is_over();
            let bytes = crowd.ticks(ticks).await;
            crowd.server.part_is_over();
            (crowd, bytes)
        };
        // The clients live until the last part is over: closing them is not counted.
        timeout(GUARD, play).await.expect("somebody waits for what does not come")
    });
    let parts = crowd.server.thread.join().unwrap();
    let [_, nothing, counted] = parts[..] else { panic!("{} parts", parts.len()) };
    Played {
        client_frames: players as u64 * u64::from(ticks),
        bytes,
        // Tokio allocates a list each time that its runtime is entered.
        allocations: counted.count_total - nothing.count_total,
    }
}

/// All players, and their server.
struct Crowd {
    server: Clockwork,
    players: Vec<Player>,
}

struct Player {
    client: Client,
    dice: Dice,
    sequence: u32,
}

impl Crowd {
    /// Joins, and sees the whole state.
    async fn join(mut server: Clockwork) -> Crowd {
        let mut players = Vec::new();
        for (number, token) in (0..).zip(&server.tokens) {
            let mut client = Client::join(server.address, token, false).await.unwrap();
            // One after the other: who comes first has the first number.
            client.welcome().await.unwrap();
            players.push(Player { client, dice: Dice(number), sequence: 0 });
        }
        server.step();
        for player in &mut players {
            let first = player.client.frame().await.unwrap();
            assert_eq!(first, None, "the first frame has it all");
        }
        server.in_lock_step();
        Crowd { server, players }
    }

    /// Plays so many ticks; the bytes of their frames.
    async fn ticks(&mut self, ticks: u32) -> u64 {
        let mut bytes = 0;
        for _ in 0..ticks {
            for player in &mut self.players {
                player.steer().await;
            }
            self.server.step();
            for player in &mut self.players {
                let by = player.client.frame().await.unwrap();
                assert_eq!(by, Some(1), "a frame is missed");
                bytes += player.client.frame_bytes() as u64;
            }
        }
        bytes
    }
}

impl Player {
    /// Sends an input, which is nearly always another than the last one.
    async fn steer(&mut self) {
        let turn = self.dice.below(17) as i8 - 8;
        let mut body = Vec::new();
        Steer { turn }.encode(&mut body);
        let mut inputs = Inputs::ack(self.client.tick);
        assert!(inputs.push(self.sequence, self.client.tick.after(2), &body));
        self.sequence += 1;
        self.client.say(&ClientMessage::Input(inputs)).await.unwrap();
    }
}
