//! `serve`: a working server, with model and lock chosen by flag.

mod stats;

use super::WrongUse;
use super::args::{FullPolicy, Serve, ServiceName, Switch, Verbosity};
use super::output::{self, Log};
use anyhow::Context;
use bytesize::ByteSize;
use guardhouse::model::{Pool, WhenFull};
use guardhouse::shutdown::Shutdown;
use guardhouse::stats::Snapshot;
use guardhouse::strategy::{LockKind, LockOptions, ModelKind, ModelOptions, ServiceKind};
use guardhouse::{Limits, Server, StartError, strategy};
use rustix::process::{
    Pid, Resource, Rlimit, Signal, getppid, getrlimit, set_parent_process_death_signal, setrlimit,
};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::{Handle as SignalHandle, Signals};
use stats::LiveStats;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Descriptors that the server itself may hold beside its clients'.
pub(super) const OWN_DESCRIPTORS: usize = 24;
pub(super) const FD_SETSIZE: usize = 1024;
const MOST_WORKERS: usize = 16 * 1024;
const LONGEST_QUEUE: usize = Pool::LONGEST_QUEUE;
const SMALLEST_STACK: ByteSize = ByteSize::kib(64);
const LARGEST_STACK: ByteSize = ByteSize::gib(1);
const LARGEST_LINE: ByteSize = ByteSize::mib(64);
const SHORTEST_IDLE: Duration = Duration::from_millis(1);
const STATS_EVERY: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_hours(24);
const DEFAULT_MAX_LINE: ByteSize = ByteSize::kib(4);

pub(crate) fn run(args: &Serve, verbosity: Verbosity) -> anyhow::Result<()> {
    let descriptors = raise_descriptor_limit();
    check(args, descriptors)?;
    let log = output::start_log(verbosity.level());
    let outcome = serve(args, &log);
    log.end();
    outcome
}

fn serve(args: &Serve, log: &Log) -> anyhow::Result<()> {
    let (model, sync) = (args.model.0, args.sync.0);
    let service_name = match args.service {
        ServiceName::Echo => "echo",
        ServiceName::Chat => "chat",
    };
    let server = server(args);
    // Before clients can come: whoever reads our first line may send a signal at once.
    let signals = Signals::new([SIGINT, SIGTERM]).context("cannot listen for signals")?;
    if args.with_parent.is_some() {
        set_parent_process_death_signal(Some(Signal::TERM))
            .context("cannot be told of the end of the parent process")?;
    }
    let handle = server.start().map_err(|error| match error {
        StartError::Options(sentence) => anyhow::Error::new(WrongUse(sentence)),
        error => error.into(),
    })?;
    if let Some(parent) = args.with_parent
        && Pid::as_raw(getppid()) != parent
    {
        // It was gone before we could be told.
        handle.switch().drain();
    }
    let watch = SignalWatch::start(signals, handle.switch())?;
    let live = match &args.stats {
        Some(every) => Some(LiveStats::start(
            every.time,
            handle.counters(),
            log.writer(),
        )?),
        None => None,
    };
    let listening = output::line(&format!(
        "listening on {} ({service_name}, model={model}, sync={sync})",
        handle.local_addr()
    ));
    if let Err(error) = listening {
        tracing::warn!(%error, "nobody reads stdout; serving all the same");
    }
    let stats = handle.wait();
    drop(watch);
    drop(live);
    let stats = stats.context("the server failed")?;
    sum_up(&stats);
    if let Some(lock) = &stats.lock {
        log.writer().line(&stats::whole_run(lock));
    }
    Ok(())
}

fn server(args: &Serve) -> Server {
    let max_line = args.max_line.unwrap_or(DEFAULT_MAX_LINE);
    let service = match args.service {
        ServiceName::Echo => ServiceKind::Echo,
        ServiceName::Chat => ServiceKind::Chat {
            max_line: bytes(max_line),
        },
    };
    let default = ModelOptions::default();
    let options = ModelOptions {
        workers: args.workers.unwrap_or(default.workers),
        queue: args.queue.unwrap_or(default.queue),
        when_full: match args.when_full {
            Some(FullPolicy::Reject) => WhenFull::Reject,
            Some(FullPolicy::Wait) | None => WhenFull::Wait,
        },
        stack_size: args.stack_size.map(bytes),
    };
    let default = LockOptions::default();
    let lock_options = LockOptions {
        permits: args.permits.unwrap_or(default.permits),
        stats: args.stats.is_some(),
    };
    Server::new(strategy::service(service, args.sync.0, lock_options))
        .boxed_model(strategy::model(args.model.0, options))
        .listen(&args.listen)
        .backlog(args.backlog)
        .limits(Limits {
            max_clients: args.max_clients.map(NonZeroUsize::get),
            mailbox: bytes(args.mailbox),
            idle_timeout: args.idle_timeout.as_ref().map(|idle| idle.time),
            drain: args.drain.time,
            nodelay: args.nodelay == Switch::On,
        })
}

/// Exactly, as error messages want it.
fn show(size: ByteSize) -> String {
    format!("{} bytes", size.as_u64())
}

fn bytes(size: ByteSize) -> usize {
    usize::try_from(size.as_u64()).unwrap_or(usize::MAX)
}

/// Refuses what cannot hold together, before anything is started.
fn check(args: &Serve, descriptors: usize) -> Result<(), WrongUse> {
    let (model, sync) = (args.model.0, args.sync.0);
    let wrong = |sentence: String| Err(WrongUse(sentence));

    let of_pool = [
        args.workers.map(|n| format!("--workers {n}")),
        args.queue.map(|n| format!("--queue {n}")),
        args.when_full.map(|policy| match policy {
            FullPolicy::Wait => "--when-full wait".into(),
            FullPolicy::Reject => "--when-full reject".into(),
        }),
    ];
    for flag in of_pool.into_iter().flatten() {
        if model != ModelKind::Pool {
            return wrong(format!(
                "{flag} goes with --model pool only, and --model is {model}"
            ));
        }
    }
    if let Some(size) = args.stack_size {
        if model != ModelKind::Thread {
            return wrong(format!(
                "--stack-size {} goes with --model thread only, and --model is {model}",
                size.as_u64()
            ));
        }
        if !(SMALLEST_STACK..=LARGEST_STACK).contains(&size) {
            return wrong(format!(
                "--stack-size {} is outside {} to {}",
                size.as_u64(),
                show(SMALLEST_STACK),
                show(LARGEST_STACK)
            ));
        }
    }
    if let Some(workers) = args.workers
        && workers.get() > MOST_WORKERS
    {
        return wrong(format!("--workers {workers} is more than {MOST_WORKERS}"));
    }
    if let Some(queue) = args.queue
        && queue > LONGEST_QUEUE
    {
        return wrong(format!("--queue {queue} is more than {LONGEST_QUEUE}"));
    }
    if let Some(permits) = args.permits
        && sync != LockKind::Semaphore
    {
        return wrong(format!(
            "--permits {permits} goes with --sync semaphore only, and --sync is {sync}"
        ));
    }
    if !sync.goes_with(model) {
        return wrong(format!(
            "--sync {sync} goes with --model {} only, and --model is {model}: several threads would enter the \
             registry, and nothing would guard it",
            models_for(sync)
        ));
    }
    check_sizes(args)?;
    check_times(args)?;
    check_clients(args, descriptors)
}

/// The models that `sync` goes with, as a sentence lists them.
pub(super) fn models_for(sync: LockKind) -> String {
    ModelKind::ALL
        .into_iter()
        .filter(|&model| sync.goes_with(model))
        .map(ModelKind::name)
        .collect::<Vec<_>>()
        .join(" or ")
}

fn check_sizes(args: &Serve) -> Result<(), WrongUse> {
    let wrong = |sentence: String| Err(WrongUse(sentence));
    let mailbox = args.mailbox;
    if mailbox.as_u64() == 0 {
        return wrong("--mailbox 0 is too small: at least 1 byte must fit".into());
    }
    if args.service == ServiceName::Echo {
        return match args.max_line {
            Some(max_line) => wrong(format!(
                "--max-line {} goes with chat only: an echo has no lines",
                max_line.as_u64()
            )),
            None => Ok(()),
        };
    }
    let max_line = args.max_line.unwrap_or(DEFAULT_MAX_LINE);
    if !(ByteSize::b(1)..=LARGEST_LINE).contains(&max_line) {
        return wrong(format!(
            "--max-line {} is outside 1 to {}",
            max_line.as_u64(),
            show(LARGEST_LINE)
        ));
    }
    if max_line.as_u64() >= mailbox.as_u64() {
        return wrong(format!(
            "--max-line {} does not fit --mailbox {}: a line and its newline have no room in it",
            max_line.as_u64(),
            mailbox.as_u64()
        ));
    }
    Ok(())
}

fn check_times(args: &Serve) -> Result<(), WrongUse> {
    let longest = Limits::LONGEST;
    if let Some(idle) = &args.idle_timeout
        && !(SHORTEST_IDLE..=longest).contains(&idle.time)
    {
        return Err(WrongUse(format!(
            "--idle-timeout {idle} is outside {SHORTEST_IDLE:?} to {longest:?} (30 days)"
        )));
    }
    if args.drain.time > longest {
        return Err(WrongUse(format!(
            "--drain {} is longer than {longest:?} (30 days)",
            args.drain
        )));
    }
    if let Some(every) = &args.stats
        && !STATS_EVERY.contains(&every.time)
    {
        return Err(WrongUse(format!(
            "--stats {every} is outside 10ms to 1day: say how often to print, like 1s"
        )));
    }
    Ok(())
}

fn check_clients(args: &Serve, descriptors: usize) -> Result<(), WrongUse> {
    let Some(clients) = args.max_clients.map(NonZeroUsize::get) else {
        return Ok(());
    };
    if args.model.0 == ModelKind::Select && clients > FD_SETSIZE - OWN_DESCRIPTORS {
        return Err(WrongUse(format!(
            "--max-clients {clients} does not fit --model select: its FD_SETSIZE is {FD_SETSIZE}, and \
             {OWN_DESCRIPTORS} of those are for the server itself"
        )));
    }
    if clients.saturating_add(OWN_DESCRIPTORS) > descriptors {
        return Err(WrongUse(format!(
            "--max-clients {clients} does not fit the limit of {descriptors} file descriptors (ulimit -Hn), of \
             which {OWN_DESCRIPTORS} are for the server itself"
        )));
    }
    Ok(())
}

/// A connection is a descriptor, so the server takes as many as it may have. Says how many those are.
pub(super) fn raise_descriptor_limit() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    current.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX))
}

/// The thread that turns signals into the steps of a shutdown. Ends when dropped.
struct SignalWatch {
    signals: SignalHandle,
    thread: Option<JoinHandle<()>>,
}

impl SignalWatch {
    fn start(mut signals: Signals, switch: Shutdown) -> anyhow::Result<Self> {
        let handle = signals.handle();
        let thread = thread::Builder::new()
            .name("gh-signals".into())
            .spawn(move || {
                for signal in signals.forever() {
                    let signal = if signal == SIGINT {
                        "SIGINT"
                    } else {
                        "SIGTERM"
                    };
                    if switch.is_draining() {
                        tracing::warn!(signal, "second signal: cutting everybody off");
                        switch.force();
                    } else {
                        tracing::info!(signal, "shutting down; once more to cut everybody off");
                        switch.drain();
                    }
                }
            })
            .context("cannot start the thread that listens for signals")?;
        Ok(Self {
            signals: handle,
            thread: Some(thread),
        })
    }
}

impl Drop for SignalWatch {
    fn drop(&mut self) {
        self.signals.close();
        if let Some(thread) = self.thread.take() {
            // It runs no code that panics; were it to, the server has ended all the same.
            let _ = thread.join();
        }
    }
}

fn sum_up(stats: &Snapshot) {
    tracing::info!(
        accepted = stats.accepted,
        refused = stats.refused(),
        aborted = stats.aborted,
        finished = stats.finished,
        by_service = stats.by_service,
        panicked = stats.panicked,
        idle = stats.idle,
        too_slow = stats.too_slow,
        lost = stats.lost,
        drained = stats.drained,
        forced = stats.forced,
        lost_messages = stats.lost_messages,
        "ended"
    );
}
