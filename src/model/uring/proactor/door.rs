//! Who comes in: the kernel accepts by itself, and the proactor lets in whom it accepted. Only where it has failed, or an
//! acceptor deals clients to several loops, it is merely watched who comes.

use super::op::Op;
use super::{ENTRANCE, Proactor};
use crate::model::acceptor::Accepted;
use crate::model::loops::Entrance;
use crate::model::phase::Phase;
use rustix::io::Errno;
use std::io;
use std::os::fd::AsFd;
use std::time::Instant;

/// Newcomers of one turn: a crowd at the door must not starve those inside.
const TURN: usize = 64;

impl Proactor<'_> {
    /// Has the kernel accept. When descriptors are short, it would fail even if nobody waits: it only watches then.
    pub(super) fn open_door(&mut self) -> io::Result<()> {
        let Some(entrance) = &self.entrance else {
            return Ok(());
        };
        self.door = Some(match entrance {
            Entrance::Door(acceptor) if !acceptor.is_short() => {
                acceptor.leave_it_to_the_kernel()?;
                self.ring.accept(acceptor.as_fd());
                Op::Accept
            }
            _ => {
                self.ring.watch_readable(ENTRANCE, entrance.as_fd());
                Op::Readable(ENTRANCE)
            }
        });
        Ok(())
    }

    /// Lets in whom the kernel accepted.
    pub(super) fn admit_arrivals(&mut self) -> io::Result<()> {
        for _ in 0..TURN {
            let Some(stream) = self.ring.next_arrival() else {
                break;
            };
            if let Some(Entrance::Door(mut acceptor)) = self.entrance.take() {
                acceptor.take_in(stream.into(), |newcomer| self.admit(newcomer));
                self.entrance = Some(Entrance::Door(acceptor));
            }
            self.make_room()?;
        }
        Ok(())
    }

    /// The kernel does nothing at the door any more: because somebody came whom it only watches for, because it has failed
    /// to accept, or because it was told so.
    #[cold]
    pub(super) fn knocked(&mut self, result: Result<u32, Errno>) -> io::Result<()> {
        self.door = None;
        let Some(mut entrance) = self.entrance.take() else {
            return Ok(());
        };
        let accepted = match &mut entrance {
            Entrance::Door(_) if self.phase != Phase::Serving => Ok(Accepted::Turn),
            Entrance::Door(acceptor) => {
                let error = result.err().map(io::Error::from);
                acceptor.go_on(error, |newcomer| self.admit(newcomer))
            }
            Entrance::Inbox(_) => entrance.accept(|newcomer| self.admit(newcomer)),
        };
        self.entrance = Some(entrance);
        if let Accepted::Pause(pause) = accepted? {
            self.paused_until = Some(Instant::now() + pause);
        } else if !self.is_entrance_over() {
            self.open_door()?;
        }
        Ok(())
    }

    /// A drain has begun, and nobody comes in any more but those who were accepted already.
    fn is_entrance_over(&self) -> bool {
        self.phase != Phase::Serving && self.entrance.as_ref().is_none_or(Entrance::is_over)
    }

    /// If it is over, has the kernel let go of it.
    pub(super) fn shut_door(&mut self) {
        if self.is_entrance_over()
            && let Some(op) = self.door
        {
            self.ring.cancel(op);
        }
    }

    /// If it is over, and the kernel has let go of it.
    pub(super) fn close_entrance(&mut self) {
        if self.door.is_none() && !self.ring.has_arrivals() && self.is_entrance_over() {
            self.entrance = None;
            self.paused_until = None;
        }
    }
}
