//! `serve`: a working server, with model and lock chosen by flag.

mod check;
mod child;
mod door;
mod stats;

pub(super) use check::{MOST_WORKERS, check_loops, check_stack_size, models_for, models_that_wait};

use super::WrongUse;
use super::args::{AcceptBy, ExecutorName, FullPolicy, Serve, ServiceName, Switch, Verbosity};
use super::output::{self, Log};
use anyhow::Context;
use bytesize::ByteSize;
use check::{DEFAULT_MAX_LINE, check};
use guardhouse::executor::Executor;
use guardhouse::model::{Accept, Deal, WhenFull};
use guardhouse::shutdown::Shutdown;
use guardhouse::stats::Snapshot;
use guardhouse::strategy::{LockOptions, ModelOptions, ServiceKind};
use guardhouse::{Fanout, Limits, Server, Service, Slow, StartError, strategy};
use rustix::process::{Pid, Resource, Rlimit, getppid, getrlimit, setrlimit};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::{Handle as SignalHandle, Signals};
use stats::LiveStats;
use std::num::NonZeroUsize;
use std::thread::{self, JoinHandle};

pub(crate) fn run(args: &Serve, verbosity: Verbosity) -> anyhow::Result<()> {
    if args.as_child {
        return child::run(args, verbosity);
    }
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
    let server = server(args)?;
    // Before clients can come: whoever reads our first line may send a signal at once.
    let signals = Signals::new([SIGINT, SIGTERM]).context("cannot listen for signals")?;
    #[cfg(any(target_os = "linux", target_os = "freebsd"))]
    if args.with_parent.is_some() {
        use rustix::process::{Signal, set_parent_process_death_signal};
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

fn server(args: &Serve) -> anyhow::Result<Server> {
    let service = service(args)?;
    let (kind, options) = (args.model.0, model_options(args));
    let model = if kind.shares_memory() {
        strategy::model(kind, options)
    } else {
        strategy::model_with(kind, options, child::program()?)
    };
    Ok(Server::new(service)
        .boxed_model(model)
        .listen(&args.listen)
        .backlog(args.backlog)
        .limits(Limits {
            max_clients: args.max_clients.map(NonZeroUsize::get),
            slow: slow(args),
            mailbox: bytes(args.mailbox),
            idle_timeout: args.idle_timeout.as_ref().map(|idle| idle.time),
            drain: args.drain.time,
            nodelay: args.nodelay == Switch::On,
        }))
}

fn service(args: &Serve) -> anyhow::Result<Box<dyn Service>> {
    let max_line = args.max_line.unwrap_or(DEFAULT_MAX_LINE);
    let kind = match args.service {
        ServiceName::Echo => ServiceKind::Echo,
        ServiceName::Chat => ServiceKind::Chat {
            max_line: bytes(max_line),
            fanout: fanout(args),
            mailbox: bytes(args.mailbox),
        },
    };
    let default = LockOptions::default();
    let options = LockOptions {
        permits: args.permits.unwrap_or(default.permits),
        stats: args.stats.is_some(),
    };
    let sync = args.sync.0;
    strategy::service(kind, sync, options)
        .with_context(|| format!("cannot start: the system has no thread to give to --sync {sync}"))
}

fn fanout(args: &Serve) -> Fanout {
    args.fanout.map_or(Fanout::default(), |named| named.0)
}

fn slow(args: &Serve) -> Slow {
    let own = fanout(args).policies()[0];
    args.slow.map_or(own, |policy| policy.0)
}

fn model_options(args: &Serve) -> ModelOptions {
    let default = ModelOptions::default();
    ModelOptions {
        workers: args.workers.unwrap_or(default.workers),
        queue: args.queue.unwrap_or(default.queue),
        when_full: match args.when_full {
            Some(FullPolicy::Reject) => WhenFull::Reject,
            Some(FullPolicy::CallerRuns) => WhenFull::CallerRuns,
            Some(FullPolicy::Wait) | None => WhenFull::Wait,
        },
        accept: match args.accept {
            None | Some(AcceptBy::Acceptor) => Accept::Acceptor,
            Some(AcceptBy::Mutex) => Accept::Mutex,
            Some(AcceptBy::Free) => Accept::Free,
            Some(AcceptBy::ReusePort) => Accept::ReusePort,
        },
        executor: match args.executor {
            None | Some(ExecutorName::Channel) => Executor::Channel,
            Some(ExecutorName::Stealing) => Executor::Stealing,
            Some(ExecutorName::Rayon) => Executor::Rayon,
        },
        stack_size: args.stack_size.map(bytes),
        loops: args.loops.unwrap_or(default.loops),
        deal: match args.accept {
            Some(AcceptBy::ReusePort) => Deal::ReusePort,
            _ => Deal::Acceptor,
        },
    }
}

fn bytes(size: ByteSize) -> usize {
    usize::try_from(size.as_u64()).unwrap_or(usize::MAX)
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
        dropped_lines = stats.dropped_lines,
        accepted_by = door::accepted_by(stats),
        fairness = door::fairness(stats),
        woken_in_vain = door::woken_in_vain(stats),
        queue_wait = door::queue_wait(stats),
        "ended"
    );
}
