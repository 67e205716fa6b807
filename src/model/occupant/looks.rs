//! When a client is looked at without having said anything, and what comes of it.
//!
//! ```text
//!   talking --silent for too long--> abandoned
//!      |
//!      +--a drain finds it busy--> last call: looked at every few milliseconds --nothing to say--> its input is over
//!      |
//!   all sent --> parting: lingers, or waits for its last bytes to be acknowledged --> finished
//! ```

use super::{Occupant, Socket, send_now};
use crate::connection::Stage;
use crate::model::{Buffers, last_call};
use crate::net::socket::{self, ACKNOWLEDGED_YET, LINGER};
use crate::stats::Closed;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// Between the last byte sent and the closing of the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parting {
    /// The connection is read on until then, so that no RST overtakes the last words.
    Linger(Instant),
    /// To be looked at then: has everything reached the other side?
    Acknowledgement(Instant),
}

/// Of a client that was busy when a drain began.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastCall {
    /// How often it may still be found with nothing to say before its input is over.
    left: u32,
    /// When it is to be looked at again, and not before, whatever else comes up.
    next: Instant,
}

impl Parting {
    fn at(self) -> Instant {
        match self {
            Self::Linger(at) | Self::Acknowledgement(at) => at,
        }
    }
}

impl<S: Socket> Occupant<S> {
    /// Everything is sent: does what `why` asks for before the socket is closed. `Some` is when to look at
    /// this client again; with `None`, it is done.
    pub(in crate::model) fn part(&mut self, why: Closed) -> Option<Instant> {
        let parting = if why.lingers() {
            // What comes now comes too late.
            self.close();
            socket::end_writing(self.stream.borrow());
            Parting::Linger(Instant::now() + LINGER)
        } else if why == Closed::Drained && socket::unacknowledged(self.fd()) > 0 {
            Parting::Acknowledgement(Instant::now() + ACKNOWLEDGED_YET)
        } else {
            self.connection.finish();
            return None;
        };
        self.parting = Some(parting);
        Some(parting.at())
    }

    /// Its time has come to be looked at: draws the consequences, and says when to look again, if ever.
    pub(in crate::model) fn look(
        &mut self,
        now: Instant,
        idle_timeout: Option<Duration>,
        buffers: &mut Buffers,
    ) -> Option<Instant> {
        self.look_through(now, idle_timeout, buffers, send_now)
    }

    /// [`look`](Self::look), where what is to be sent goes through `send`.
    pub(in crate::model) fn look_through(
        &mut self,
        now: Instant,
        idle_timeout: Option<Duration>,
        buffers: &mut Buffers,
        send: impl FnMut(BorrowedFd<'_>, &[IoSlice<'_>]) -> io::Result<usize>,
    ) -> Option<Instant> {
        match self.parting {
            Some(Parting::Linger(until)) if until > now => Some(until),
            Some(Parting::Linger(_)) => {
                self.connection.finish();
                None
            }
            Some(Parting::Acknowledgement(_)) => {
                self.look_for_acknowledgement(now, &mut buffers.input)
            }
            None => match self.last_call {
                Some(call) => self.look_for_more(call, now, &mut buffers.reply, send),
                None => self.look_for_life(now, idle_timeout?),
            },
        }
    }

    fn look_for_acknowledgement(&mut self, now: Instant, scrap: &mut [u8]) -> Option<Instant> {
        if socket::unacknowledged(self.fd()) == 0 {
            socket::discard_unread(self.stream.borrow(), scrap);
            self.connection.finish();
            return None;
        }
        if !matches!(self.stream.borrow().take_error(), Ok(None)) {
            self.connection.abandon(Closed::Lost);
            return None;
        }
        let again = now + ACKNOWLEDGED_YET;
        self.parting = Some(Parting::Acknowledgement(again));
        Some(again)
    }

    /// A drain has begun, and this client is busy: says when to look again whether it still is.
    pub(in crate::model) fn call_last(&mut self, now: Instant) -> Instant {
        let patience = last_call(socket::unread(self.stream.borrow()));
        let left = (patience.as_millis() / ACKNOWLEDGED_YET.as_millis()) as u32;
        let next = now + ACKNOWLEDGED_YET;
        self.last_call = Some(LastCall { left, next });
        next
    }

    fn look_for_more(
        &mut self,
        mut call: LastCall,
        now: Instant,
        reply: &mut Vec<u8>,
        send: impl FnMut(BorrowedFd<'_>, &[IoSlice<'_>]) -> io::Result<usize>,
    ) -> Option<Instant> {
        if now < call.next {
            // An idle time-out that was set before the drain. Were it followed up, it would be a second series of looks.
            return None;
        }
        if self.connection.stage() == Stage::Talking
            && !self.connection.is_blocked()
            && socket::unread(self.stream.borrow()) == 0
        {
            let Some(left) = call.left.checked_sub(1) else {
                self.last_call = None;
                self.end_through(reply, Closed::Drained, send);
                return None;
            };
            call.left = left;
        }
        call.next = now + ACKNOWLEDGED_YET;
        self.last_call = Some(call);
        Some(call.next)
    }

    fn look_for_life(&mut self, now: Instant, idle_timeout: Duration) -> Option<Instant> {
        let deadline = self.active + idle_timeout;
        if deadline > now {
            return Some(deadline);
        }
        let alive = if self.connection.is_blocked() {
            // Writable is only what has room for a third of its buffer. Who reads slowly reads.
            let untaken = socket::unacknowledged(self.fd());
            self.untaken
                .replace(untaken)
                .is_none_or(|before| untaken < before)
        } else {
            // It may have spoken while a session kept everybody waiting.
            self.wants_read() && socket::unread(self.stream.borrow()) > 0
        };
        if alive {
            return Some(now + idle_timeout);
        }
        self.connection.abandon(Closed::Idle);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Client;
    use crate::model::CHUNK;
    use crate::service::Echo;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::thread;

    /// A client at a drain, of whom `unread` bytes lie here: for how long it is waited for when it says nothing more,
    /// and its idle time-out comes up meanwhile.
    fn waited_for(unread: usize) -> Duration {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(9)))
            .unwrap();
        let mut text = vec![0; unread];
        peer.write_all(&text).unwrap();
        while socket::unread(&stream) < unread as u64 {
            thread::yield_now();
        }
        let same = stream.try_clone().unwrap();
        let mut occupant = Occupant::new(&Echo, Client::unheard(), same, None);
        let mut buffers = Buffers::new();
        let idle_timeout = Some(Duration::from_secs(9));

        let began = Instant::now();
        // The idle time-out comes up between two looks. Whoever is to be looked at again, is.
        let idle = began + ACKNOWLEDGED_YET * 3 / 2;
        let mut times = vec![idle, occupant.call_last(began)];
        stream.read_exact(&mut text).unwrap();
        let mut last = began;
        while let Some(first) = (0..times.len()).min_by_key(|&n| times[n]) {
            let now = times.swap_remove(first);
            if occupant.connection.stage() == Stage::Talking {
                last = now;
                times.extend(occupant.look(now, idle_timeout, &mut buffers));
            }
        }
        assert_ne!(occupant.connection.stage(), Stage::Talking);
        last - began
    }

    #[test]
    fn an_idle_time_out_that_comes_up_in_a_drain_does_not_shorten_the_last_call() {
        let waited = waited_for(0);
        assert!(waited >= last_call(0), "{waited:?}");
    }

    #[test]
    fn a_last_call_is_longer_when_the_clients_own_kernel_may_hold_more() {
        let read_at_once = waited_for(CHUNK);
        let more = waited_for(CHUNK + 1);
        let lost_and_sent_again = Duration::from_millis(200);
        assert!(more > lost_and_sent_again + read_at_once, "{more:?}");
    }
}
