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
use crate::model::Buffers;
use crate::model::last_call::LastCall;
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
pub(super) struct Called {
    /// How long it may still be found with nothing to say before its input is over.
    call: LastCall,
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
            None => match self.called {
                Some(called) => self.look_for_more(called, now, &mut buffers.reply, send),
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

    /// A drain has begun that takes `drain` at most, and this client is busy: says when to look again whether it still is.
    pub(in crate::model) fn call_last(&mut self, now: Instant, drain: Duration) -> Instant {
        let next = now + ACKNOWLEDGED_YET;
        let mut call = LastCall::new(drain);
        call.unread(socket::unread(self.stream.borrow()));
        self.called = Some(Called { call, next });
        next
    }

    fn look_for_more(
        &mut self,
        mut called: Called,
        now: Instant,
        reply: &mut Vec<u8>,
        send: impl FnMut(BorrowedFd<'_>, &[IoSlice<'_>]) -> io::Result<usize>,
    ) -> Option<Instant> {
        if now < called.next {
            // An idle time-out that was set before the drain. Were it followed up, it would be a second series of looks.
            return None;
        }
        let unread = socket::unread(self.stream.borrow());
        let call = &mut called.call;
        call.unread(unread);
        if self.connection.stage() == Stage::Talking && !self.connection.is_blocked() && unread == 0
        {
            if call.left.is_zero() {
                self.called = None;
                self.end_through(reply, Closed::Drained, send);
                return None;
            }
            call.left = call.left.saturating_sub(ACKNOWLEDGED_YET);
        }
        called.next = now + ACKNOWLEDGED_YET;
        self.called = Some(called);
        Some(called.next)
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

    const PATIENCE: Duration = Duration::from_secs(9);

    /// A client that was busy at a drain, and has said nothing.
    struct Silent {
        peer: TcpStream,
        stream: TcpStream,
        occupant: Occupant,
        buffers: Buffers,
        began: Instant,
        /// When to look at it.
        times: Vec<Instant>,
    }

    impl Silent {
        fn called() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let same = stream.try_clone().unwrap();
            let mut occupant = Occupant::new(&Echo, Client::unheard(), same, None);
            let began = Instant::now();
            let times = vec![occupant.call_last(began, PATIENCE)];
            Self {
                peer,
                stream,
                occupant,
                buffers: Buffers::new(),
                began,
                times,
            }
        }

        /// The first of the times has come. Whoever is to be looked at again, is.
        fn look(&mut self) -> Option<Instant> {
            let first = (0..self.times.len()).min_by_key(|&n| self.times[n])?;
            let now = self.times.swap_remove(first);
            let again = self.occupant.look(now, Some(PATIENCE), &mut self.buffers);
            self.times.extend(again);
            Some(now)
        }

        /// For how long it is waited for when it says nothing more.
        fn waited_for(&mut self) -> Duration {
            let mut last = self.began;
            while self.occupant.connection.stage() == Stage::Talking {
                last = self.look().expect("it is looked at until it is over");
            }
            last - self.began
        }
    }

    #[test]
    fn an_idle_time_out_that_comes_up_in_a_drain_does_not_shorten_the_last_call() {
        let mut silent = Silent::called();
        let undisturbed = silent.waited_for();
        assert!(undisturbed >= LastCall::new(PATIENCE).left);
        let mut disturbed = Silent::called();
        // It comes up between two looks.
        let idle = disturbed.began + ACKNOWLEDGED_YET * 3 / 2;
        disturbed.times.push(idle);
        assert_eq!(disturbed.waited_for(), undisturbed);
    }

    #[test]
    fn a_last_call_is_longer_when_a_look_finds_more_than_one_read_takes() {
        let mut silent = Silent::called();
        let undisturbed = silent.waited_for();
        let mut held_up = Silent::called();
        let mut text = vec![0; CHUNK + 1];
        held_up.peer.write_all(&text).unwrap();
        let deadline = Instant::now() + PATIENCE;
        while socket::unread(&held_up.stream) < text.len() as u64 {
            assert!(Instant::now() < deadline, "what was sent has not come");
            thread::yield_now();
        }
        held_up.look();
        held_up.stream.read_exact(&mut text).unwrap();
        let lost_and_sent_again = Duration::from_millis(200);
        assert!(held_up.waited_for() > undisturbed + lost_and_sent_again);
    }
}
