//! [`Prefork`]: N processes that accept on one listener.

use super::process::Program;
use super::process::family::{Ended, Family};
use super::{Context, Model, Unsupported, only, process};
use crate::net::Listener;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// N processes, each of which accepts by itself and serves one client to its end before it accepts the next (UNP 2,
/// muduo 3). All at once: a client that comes wakes all who have none, and one of them gets it.
///
/// As under [`Process`](super::Process), nothing is shared, the processes run a [`Program`], and a service that
/// [needs shared memory](crate::Service::needs_shared_memory) is refused. As under a [`Pool`](super::Pool), N clients
/// that stay, however idle, hold all processes, and the next one waits in the kernel's backlog.
///
/// A process that ends is replaced: at once, and when it has not lived for a second after a pause of 50 ms, which
/// doubles up to 5 s.
#[derive(Clone, Debug)]
pub struct Prefork {
    processes: NonZeroUsize,
    program: Option<Program>,
}

impl Prefork {
    /// So many processes. They cannot run before they are given their [program](Self::program).
    pub fn new(processes: NonZeroUsize) -> Self {
        Self {
            processes,
            program: None,
        }
    }

    /// Sets what the processes run. It must call [`serve_as_child`](super::serve_as_child).
    #[must_use]
    pub fn program(mut self, program: Program) -> Self {
        self.program = Some(program);
        self
    }
}

impl Model for Prefork {
    fn name(&self) -> &'static str {
        "prefork"
    }

    fn check(&self) -> Result<(), Unsupported> {
        Program::check(self.program.as_ref())
    }

    fn shares_memory(&self) -> bool {
        false
    }

    fn run(&self, listeners: Vec<Listener>, context: Context<'_>) -> io::Result<()> {
        let program = process::given(self.program.as_ref())?;
        let listener = only(listeners);
        context.stats.acceptors(self.processes.get());
        let mut family = Family::new(context, program);
        let mut places = vec![Place::new(); self.processes.get()];
        let outcome = keep_up(&mut places, &listener, &mut family, context);
        context.shutdown.drain();
        while !family.has_seen_the_drain() {
            family.attend(None, None)?;
        }
        // Closing it would not do: those who serve a client hold it, too, and do not look at it before they are done.
        listener.stop();
        drop(listener);
        family.see_out()?;
        outcome
    }
}

/// Keeps a process in every place until the drain begins.
fn keep_up(
    places: &mut [Place],
    listener: &Listener,
    family: &mut Family<'_>,
    context: Context<'_>,
) -> io::Result<()> {
    while !context.shutdown.is_draining() {
        let now = Instant::now();
        for (index, place) in places.iter_mut().enumerate() {
            if place.vacant_until.is_none_or(|until| until > now) {
                continue;
            }
            match family.start_acceptor(index, listener.as_fd()) {
                Ok(()) => place.vacant_until = None,
                // Not one of them: nothing tells that it will ever be better.
                Err(error) if family.is_empty() => return Err(error),
                Err(error) => {
                    let pause = place.leave_vacant();
                    tracing::warn!(%error, ?pause, "a process could not be started");
                }
            }
        }
        let next = places.iter().filter_map(|place| place.vacant_until).min();
        let pause = next.map(|next| next.saturating_duration_since(Instant::now()));
        for Ended { place, lived } in family.attend(None, pause)? {
            let place = &mut places[place];
            if lived >= STEADY {
                *place = Place::new();
            } else {
                place.leave_vacant();
            }
        }
    }
    Ok(())
}

/// Who lived for so long did not end for what will end the next one, too.
const STEADY: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

#[derive(Clone)]
struct Place {
    /// When to fill it, if nobody is there.
    vacant_until: Option<Instant>,
    pause: Duration,
}

impl Place {
    fn new() -> Self {
        Self {
            vacant_until: Some(Instant::now()),
            pause: FIRST_PAUSE,
        }
    }

    /// Says for how long.
    fn leave_vacant(&mut self) -> Duration {
        let pause = self.pause;
        self.vacant_until = Some(Instant::now() + pause);
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_left_vacant_for_longer_and_longer_up_to_a_limit() {
        let mut place = Place::new();
        let pauses: Vec<u64> = (0..9)
            .map(|_| place.leave_vacant().as_millis() as u64)
            .collect();
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    }
}
