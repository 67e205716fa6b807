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
/// doubles up to 5 s. When the system gives no process, all places wait so; the server fails only if it never gave one.
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

    fn waits_for_clients(&self) -> bool {
        true
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
    let mut starts = Starts::new();
    while !context.shutdown.is_draining() {
        // One at a time: those who are there are heard in between.
        let next = places
            .iter()
            .enumerate()
            .filter_map(|(index, place)| Some((starts.not_before(place.vacant_until?), index)))
            .min();
        let now = Instant::now();
        let timeout = match next {
            Some((until, index)) if until <= now => {
                match family.start_acceptor(index, listener.as_fd()) {
                    Ok(()) => {
                        places[index].vacant_until = None;
                        starts.succeeded();
                    }
                    Err(error) => starts.failed(error)?,
                }
                Some(Duration::ZERO)
            }
            next => next.map(|(until, _)| until.saturating_duration_since(now)),
        };
        for Ended { place, lived } in family.attend(None, timeout)? {
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

/// How starting processes goes, for all places: what keeps one from being started keeps the others, too.
struct Starts {
    /// One was started, at any time.
    ever: bool,
    /// None could be, of late: not before this, and if not then, after such a pause.
    short: Option<(Instant, Duration)>,
}

impl Starts {
    fn new() -> Self {
        Self {
            ever: false,
            short: None,
        }
    }

    fn not_before(&self, until: Instant) -> Instant {
        self.short.map_or(until, |(pause, _)| pause.max(until))
    }

    fn succeeded(&mut self) {
        self.ever = true;
        if self.short.take().is_some() {
            tracing::info!("processes can be started again");
        }
    }

    /// # Errors
    /// The error, while there has never been a process: nothing tells that it will ever be better.
    fn failed(&mut self, error: io::Error) -> io::Result<()> {
        if !self.ever {
            return Err(error);
        }
        if self.short.is_none() {
            tracing::warn!(%error, "a process cannot be started; trying again until one can");
        }
        let pause = self.short.map_or(FIRST_PAUSE, |(_, pause)| pause);
        self.short = Some((Instant::now() + pause, longer(pause)));
        Ok(())
    }
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

    fn leave_vacant(&mut self) {
        self.vacant_until = Some(Instant::now() + self.pause);
        self.pause = longer(self.pause);
    }
}

fn longer(pause: Duration) -> Duration {
    (pause * 2).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_left_vacant_for_longer_and_longer_up_to_a_limit() {
        let mut place = Place::new();
        let pauses: Vec<u128> = (0..9)
            .map(|_| {
                let pause = place.pause.as_millis();
                place.leave_vacant();
                pause
            })
            .collect();
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    }

    #[test]
    fn a_failure_is_the_servers_end_only_while_no_process_was_ever_started() {
        let short = || io::Error::from(io::ErrorKind::WouldBlock);
        let mut starts = Starts::new();
        assert!(starts.failed(short()).is_err());
        starts.succeeded();
        let now = Instant::now();
        let first = starts.not_before(now);
        assert_eq!(first, now);
        starts.failed(short()).unwrap();
        let second = starts.not_before(now);
        assert!(second >= now + FIRST_PAUSE);
        starts.failed(short()).unwrap();
        assert!(starts.not_before(now) >= second + FIRST_PAUSE, "longer");
        starts.succeeded();
        assert_eq!(starts.not_before(now), now);
    }
}
