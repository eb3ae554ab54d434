//! How many clients one core serves: the most that still get 95 % of their frames,
//! and 99 of 100 within two ticks.

use std::io;
use std::time::Duration;

use super::measure::{Sample, Setting, Stage, Time, once, paced};

/// The first step up, as long as all get what they need.
const UP: f64 = 1.15;
/// What is found and what was too much are at most so far apart.
const CLOSE: f64 = 1.05;
/// Windows that are tried to get those that count.
const WINDOWS_MAX: usize = 4;
/// A server needs so long to get warm, or to find that it should shed load.
const SETTLE: Duration = Duration::from_secs(3);
/// After a bad window, a server needs so long to forget it: Tickwire gives up frames for five
/// seconds at least, also after a hiccup or after all came at once.
const FORGET: Duration = Duration::from_secs(7);

/// Looks for the most clients that get what they need, and gives what was measured
/// with so many. `setting` has the clients of an easy beginning.
pub(crate) fn most(setting: &Setting, time: Time) -> io::Result<Sample> {
    paced(|| {
        let mut best = once(setting, time)?;
        // As many as would fill the core if they cost what they cost on an idle one.
        let mut next = 1e6 / (best.cpu_us * f64::from(setting.hz));
        let mut too_many: Option<(f64, String)> = None;
        loop {
            let tried = setting.with_clients(next);
            let sample = settled(&tried, time)?;
            match sample.short_of(setting.hz) {
                None => best = sample,
                Some(short) => {
                    let note = format!("at {} clients: {short}", tried.clients);
                    too_many = Some((tried.clients as f64, note));
                }
            }
            let most = best.clients as f64;
            next = match &too_many {
                None => most * UP,
                Some((least, note)) if *least <= most * CLOSE => {
                    return Ok(Sample { note: Some(note.clone()), ..best });
                }
                Some((least, _)) => (most * least).sqrt(),
            };
            if setting.with_clients(next).clients == best.clients {
                let note = too_many.map(|(_, note)| note);
                return Ok(Sample { note, ..best });
            }
        }
    })
}

/// One bad window may be the machine's doing; two are the server's, if nobody else
/// had the cores.
fn settled(setting: &Setting, time: Time) -> io::Result<Sample> {
    let mut stage = Stage::set(setting)?;
    stage.play(SETTLE)?;
    let mut bad = 0;
    for _ in 1..WINDOWS_MAX {
        let sample = stage.window(time.window)?;
        if sample.disturbed().is_some() {
            continue;
        }
        if sample.short_of(setting.hz).is_none() || bad == 1 {
            return Ok(sample);
        }
        bad += 1;
        stage.play(FORGET)?;
    }
    stage.window(time.window)
}
