//! What goes to the server.

use super::{Cause, Phase, Said, Session};
use crate::client::mirror::Mirror;
use crate::close::Advice;
use crate::message::{ClientMessage, Hello, Inputs, VERSION};

impl Session {
    /// Puts the next message into `out`, in place of what was there; `false` if
    /// there is none. Each is to be sent as one binary message, in this order.
    pub fn poll_transmit(&mut self, out: &mut Vec<u8>) -> bool {
        out.clear();
        match self.phase {
            Phase::Greeting(_) => self.send_hello(out),
            Phase::Joined if self.wishes.leave => self.send_last(out),
            Phase::Joined => self.send_next(out),
            _ => false,
        }
    }

    fn send_hello(&mut self, out: &mut Vec<u8>) -> bool {
        if self.hello.is_some() {
            return false;
        }
        // The state of another seat, or of no room yet, is nothing to go on from.
        let applied = self.mirror.as_ref().filter(|_| self.seat.joined).and_then(Mirror::tick);
        let schema = self.schema.as_ref().map(|known| known.hash);
        let hello = Hello { version: VERSION, schema, token: &self.seat.token, applied };
        ClientMessage::Hello(hello).write(out);
        self.hello = Some(Said { at: self.now, applied });
        true
    }

    /// What is left to say before leaving.
    fn send_last(&mut self, out: &mut Vec<u8>) -> bool {
        if self.requests.send(out) {
            return true;
        }
        ClientMessage::Bye.write(out);
        self.end(Cause::Left, Advice::Stop, None);
        true
    }

    fn send_next(&mut self, out: &mut Vec<u8>) -> bool {
        // First what is worth less the later it goes.
        if self.pings.is_ready() {
            let stamp = self.pings.send(self.now);
            ClientMessage::Ping { stamp }.write(out);
            return true;
        }
        self.send_inputs(out) || self.send_wishes(out) || self.requests.send(out)
    }

    /// Inputs and the acknowledgement, or either.
    fn send_inputs(&mut self, out: &mut Vec<u8>) -> bool {
        if !self.acks.is_ready() && !self.inputs.is_ready() {
            return false;
        }
        // Neither is before this connection's first frame.
        let Some(applied) = self.mirror.as_ref().and_then(Mirror::tick) else { return false };
        let mut batch = Inputs::ack(applied);
        self.inputs.fill(&mut batch);
        ClientMessage::Input(batch).write(out);
        self.inputs.sent(self.now);
        self.acks.sent(self.inputs.holds(), self.now);
        true
    }

    fn send_wishes(&mut self, out: &mut Vec<u8>) -> bool {
        if core::mem::take(&mut self.wishes.tell_pace) {
            ClientMessage::Pace { every: self.wishes.pace }.write(out);
            return true;
        }
        if core::mem::take(&mut self.wishes.refresh) {
            ClientMessage::Refresh.write(out);
            return true;
        }
        false
    }
}
