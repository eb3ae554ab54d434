//! What happened in a room, in numbers.

use std::ops::AddAssign;

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident,)*) => {
        /// Counts since the room was made. Plain numbers: a worker adds up those of its
        /// rooms when somebody asks, and nobody else reads or writes them.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        pub struct Counters {
            $($(#[doc = $doc])+ pub $name: u64,)*
        }

        impl Counters {
            /// Each count with its name, and what it counts.
            pub fn each(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
                [$((stringify!($name), concat!($($doc),+).trim_ascii_start(), self.$name)),*]
                    .into_iter()
            }
        }

        impl AddAssign for Counters {
            fn add_assign(&mut self, other: Counters) {
                $(self.$name += other.$name;)*
            }
        }
    };
}

counters! {
    /// Steps of the game.
    ticks,
    /// Frames that were sent.
    frames,
    /// Frames with the whole state.
    frames_full,
    /// Bytes of the own parts and shared parts of all frames.
    frame_bytes,
    /// Chunks that were encoded; the rest of those in frames were shared.
    chunks_encoded,
    /// A client was due and got no frame: for want of credit, its link was busy, or the next
    /// tick was due already.
    coalesced,
    /// Frames over the limit of a message; each ends its room.
    frames_too_big,
    /// Transient events that a client did not get, for each client.
    transient_dropped,
    /// Events of the game over the limit, which nobody got.
    events_too_big,
    /// Inputs that came after the tick that they were for.
    inputs_late,
    /// Inputs with a number that was there before.
    inputs_duplicate,
    /// Inputs that a newer one replaced before a step used them.
    inputs_folded,
    /// Inputs for ticks beyond all reason.
    inputs_absurd,
    /// Acknowledgements of what was never sent.
    acks_absurd,
    /// Connections that fell silent and got neutral controls.
    neutral,
    /// Messages over the rate.
    messages_dropped,
    /// Messages without a byte.
    messages_empty,
    /// Commands that were not carried out.
    commands_refused,
    /// Lines of chat that nobody got.
    chat_dropped,
    /// Wishes for the whole state that came too soon after another.
    refreshes_refused,
    /// Players who came.
    joined,
    /// Connections that took a seat again.
    resumed,
    /// Resumes that went on with a difference.
    resumed_with_baseline,
    /// Connections that a newer one of the same player replaced.
    replaced,
    /// Hellos that were turned away, because their tokens were void or used up.
    tokens_refused,
    /// Players whom the game did not let in.
    joins_refused,
    /// Connections that were closed because they did not keep up.
    closed_too_slow,
    /// Connections that were closed because of a message that is not the protocol's.
    closed_bad_message,
    /// Connections that were closed because of too many messages.
    closed_policy,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_and_each_has_its_name() {
        let mut all = Counters { ticks: 1, closed_policy: 2, ..Counters::default() };
        all += Counters { ticks: 10, frames: 5, ..Counters::default() };
        let some: Vec<_> = all.each().filter(|(_, _, count)| *count > 0).collect();
        let expected = [
            ("ticks", "Steps of the game.", 11),
            ("frames", "Frames that were sent.", 5),
            ("closed_policy", "Connections that were closed because of too many messages.", 2),
        ];
        assert_eq!(some, expected);
    }
}
