//! How many clients one core serves: the most that still get 95 % of their frames,
//! and 99 of 100 within two ticks.

use std::io;
use std::time::Duration;

use super::measure::{Sample, Setting, Stage, Time, paced};

/// The first rung, as a share of the clients whose work would fill the core if it
/// cost what it costs on an idle one; and from one rung to the next.
const BEGIN: f64 = 0.6;
const STEP: f64 = 0.06;
/// No rung is higher.
const END: f64 = 1.6;
/// A server that sheds load needs about so long to find that it should.
const SETTLE: Duration = Duration::from_millis(1300);

/// Lets clients join until they no longer get what they need, and gives the last
/// measurement where they did. `setting` has the clients of an easy beginning.
pub(crate) fn climb(setting: &Setting, time: Time) -> io::Result<Sample> {
    paced(|| {
        let first = rung(&mut Stage::set(setting)?, time)?;
        let whole = 1e6 / (first.cpu_us * f64::from(setting.hz));
        let mut begin = BEGIN;
        loop {
            if let Some(best) = climb_from(setting, whole, begin, time)? {
                return Ok(best);
            }
            // Not even there: from a lower rung, and in the end from the easy beginning.
            begin -= 4.0 * STEP;
            if whole * begin <= setting.clients as f64 {
                return Ok(first);
            }
        }
    })
}

/// None if the first rung was too high.
fn climb_from(setting: &Setting, whole: f64, begin: f64, time: Time) -> io::Result<Option<Sample>> {
    let at = |share: f64| setting.with_clients(whole * share);
    let mut stage = Stage::set(&at(begin))?;
    let (mut share, mut best) = (begin, None::<Sample>);
    loop {
        let mut sample = rung(&mut stage, time)?;
        let mut short = sample.short_of(setting.hz);
        if short.is_some() {
            // Once may be the machine's doing.
            sample = rung(&mut stage, time)?;
            short = sample.short_of(setting.hz);
        }
        if let Some(short) = short {
            let note = format!("at {} clients: {short}", sample.clients);
            return Ok(best.map(|best| Sample { note: Some(note), ..best }));
        }
        share += STEP;
        let more = at(share).clients.saturating_sub(sample.clients);
        best = Some(sample);
        if share > END {
            return Ok(best);
        }
        stage.grow(more)?;
    }
}

fn rung(stage: &mut Stage, time: Time) -> io::Result<Sample> {
    stage.play(SETTLE)?;
    stage.window(time.window)
}
