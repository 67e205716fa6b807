//! [`serve_as_child`]: a process that serves for the one that started it.
//!
//! ```text
//!   gh-line      hears the parent: drain, force, the answer to "may it come in?"; the end of the line is a drain, and
//!                the end of the door
//!   gh-warden    as in every blocking model
//!   caller's     serves the one client, or accepts and serves one after the other
//! ```
//!
//! What a client is said to be comes from the parent, and so do the limits: a child cannot be started with others.

use super::line::{Heard, Line, garbled};
use super::relative::GRACE;
use super::words::{Order, Task, TaskKind};
use crate::model::acceptor::{Door, Newcomer, Porter};
use crate::model::blocking::{self, House};
use crate::model::{Buffers, Context};
use crate::net::Listener;
use crate::net::socket::{self, Wait};
use crate::service::Service;
use crate::shutdown::Shutdown;
use crate::stats::{Event, Refusal, RefusalKind, Stats};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use rustix::io::Errno;
use rustix::process::{Signal, getpid, kill_process};
use rustix::stdio::dup2_stdin;
use std::env;
use std::fs::File;
use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::parent_id;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, Scope};

static CLAIMED: AtomicBool = AtomicBool::new(false);
static ORPHANED: AtomicBool = AtomicBool::new(false);

/// The variable by which a child knows whose it is: it holds the parent's number. What a session starts inherits it,
/// and has another parent.
pub(super) const PARENT: &str = "GUARDHOUSE_CHILD_OF";

/// This process was started to serve for another one, and does something else.
pub(super) fn is_unclaimed() -> bool {
    let parent = env::var(PARENT).ok().and_then(|pid| pid.parse().ok());
    parent == Some(parent_id()) && !CLAIMED.load(Ordering::SeqCst)
}

/// Set once the process that this one [serves for](serve_as_child) is gone: nobody but the system is left to tell it to
/// end, and it is to heed the signals that it disregarded until then. Only to be read.
pub fn orphaned() -> &'static AtomicBool {
    &ORPHANED
}

/// Serves for the process that started this one: the other half of [`Process`](crate::model::Process) and
/// [`Prefork`](crate::model::Prefork). The program that they are given calls this, with the service, as soon as its
/// `main` sees that it is the child. It returns when it has served its client, or when its parent says so or is gone;
/// then the program is to end; one that has not in three seconds is killed.
///
/// The parent is the other end of the process's standard input, which is `/dev/null` from then on: a session that
/// starts programs of its own hands nothing down to them. Sessions log to the same standard error as the parent.
/// Signals are the program's affair; the parent says when to drain, so it is best to ignore SIGINT and SIGTERM for as
/// long as there is one ([`orphaned`]). The process is in a process group of its own from its first instruction: what a
/// terminal, or somebody else, sends to the parent's group does not reach it. A service manager that signals every process
/// of a service, one by one, can still hit it before its `main` disregards that, and it costs the client; have it signal
/// the parent alone (systemd: `KillMode=mixed`).
///
/// When the parent is gone without a word, nobody listens any more, and the drain begins. A session that does not return
/// three seconds after the drain's time is over is killed with the process, as its parent would have done.
///
/// ```no_run
/// use guardhouse::model::{Process, Program, serve_as_child};
/// use guardhouse::{Client, Flow, Reply, Server, Service, Session};
///
/// struct Shout;
///
/// impl Service for Shout {
///     fn open(&self, _: Client) -> Box<dyn Session> {
///         Box::new(Shout)
///     }
///
///     // Its clients have nothing to do with each other.
///     fn needs_shared_memory(&self) -> bool {
///         false
///     }
/// }
///
/// impl Session for Shout {
///     fn receive(&mut self, bytes: &[u8], reply: &mut Reply<'_>) -> Flow {
///         reply.append(&bytes.to_ascii_uppercase());
///         Flow::Continue
///     }
/// }
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     if std::env::args().nth(1).as_deref() == Some("--child") {
///         return Ok(serve_as_child(&Shout)?);
///     }
///     let model = Process::new().program(Program::this()?.arg("--child"));
///     let server = Server::new(Shout).model(model).start()?;
///     println!("listening on {}", server.local_addr());
///     server.wait()?;
///     Ok(())
/// }
/// ```
///
/// # Errors
/// When standard input is no line to a parent, which is so for a program that people start; when the system gives no
/// thread or descriptor; or when the listener breaks.
pub fn serve_as_child(service: &dyn Service) -> io::Result<()> {
    CLAIMED.store(true, Ordering::SeqCst);
    let Inherited {
        line,
        heard,
        task,
        socket,
    } = Inherited::at_stdin()?;
    let shutdown = Shutdown::new()?;
    let stats = {
        let line = Arc::clone(&line);
        Stats::telling(move |event| {
            // Who is told that the server is full has said so to us.
            if event != Event::Refused(RefusalKind::Full) {
                line.tell(event);
            }
        })
    };
    let context = Context {
        service,
        limits: task.limits,
        shutdown: &shutdown,
        stats: &stats,
    };
    match task.kind {
        TaskKind::Connection { id, addr } => {
            let newcomer = Newcomer {
                id,
                addr,
                stream: TcpStream::from(socket),
                permit: None,
            };
            blocking::run_without_a_door(context, |scope, house| {
                // Seated first: a drain is to find it there.
                let place = house.seat(newcomer);
                let _listening = Listening::start(scope, context, &line, heard, None)?;
                house.serve(place, &mut Buffers::new());
                Ok(())
            })
        }
        TaskKind::Listener => {
            let listener = Listener::from(socket);
            blocking::open(context, |scope, house| {
                let listening = Listening::start(scope, context, &line, heard, Some(&listener))?;
                let mut porter = Porter::new(Door::new(context, 1), 0)?;
                let mut buffers = Buffers::new();
                loop {
                    match porter.next([listener.as_fd()], |_| Ok(&listener)) {
                        Ok(Some(newcomer)) => listening.let_in(newcomer, house, &mut buffers),
                        Ok(None) => return Ok(()),
                        // Stopped, by another one whose parent is gone, before we hear that ours is.
                        Err(error) if Errno::from_io_error(&error) == Some(Errno::INVAL) => {
                            tracing::debug!(%error, "nobody listens any more");
                            return Ok(());
                        }
                        Err(error) => return Err(error),
                    }
                }
            })
        }
    }
}

/// What the parent gave us to begin with.
struct Inherited {
    line: Arc<Line>,
    heard: Heard,
    task: Task,
    socket: OwnedFd,
}

impl Inherited {
    fn at_stdin() -> io::Result<Self> {
        let stdin = io::stdin();
        let mut heard = Heard::nothing();
        let socket = Line::take_over(stdin.as_fd(), &mut heard).map_err(|error| {
            let text = format!(
                "standard input is no line to a server that started this process to serve for it: {error}"
            );
            io::Error::new(error.kind(), text)
        })?;
        let task = heard.next().unwrap_or_default();
        let task = Task::parse(&task).ok_or_else(|| garbled(&format!("{task:?} is no task")))?;
        let line = stdin.as_fd().try_clone_to_owned()?;
        dup2_stdin(File::open("/dev/null")?)?;
        Ok(Self {
            line: Arc::new(Line::over(UnixStream::from(line))),
            heard,
            task,
            socket,
        })
    }
}

/// The thread that hears the parent. It ends when this is dropped.
struct Listening<'a> {
    line: &'a Line,
    answers: Receiver<Order>,
    /// Nothing is sent: the other end waits for its end.
    _here: Sender<()>,
}

impl<'env> Listening<'env> {
    fn start<'scope>(
        scope: &'scope Scope<'scope, 'env>,
        context: Context<'env>,
        line: &'env Line,
        heard: Heard,
        door: Option<&'env Listener>,
    ) -> io::Result<Self> {
        // One question at a time.
        let (answer, answers) = bounded(1);
        let (here, left) = bounded(0);
        Builder::new()
            .name("gh-line".into())
            .spawn_scoped(scope, move || {
                let end = obey(line, heard, context.shutdown, &answer);
                // Nobody is to wait for its answer any more.
                drop(answer);
                if !line.is_left() {
                    end_alone(end, context, door, &left);
                }
            })?;
        Ok(Self {
            line,
            answers,
            _here: here,
        })
    }

    /// Serves the client that was just accepted, if the parent has room for it.
    fn let_in(&self, mut newcomer: Newcomer, house: &House<'_>, buffers: &mut Buffers) {
        self.line.ask();
        match self.answers.recv() {
            Ok(Order::Full { limit }) => {
                house.refuse(&house.seat(newcomer).seat, &Refusal::Full { limit });
            }
            Ok(Order::Admitted(id)) => {
                newcomer.id = id;
                house.serve(house.seat(newcomer), buffers);
            }
            Ok(Order::Drain | Order::Force) => unreachable!("those are no answers"),
            Err(_) => {
                tracing::debug!(addr = %newcomer.addr, "the parent is gone, and nobody can be let in");
                socket::hang_up(&newcomer.stream);
            }
        }
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        self.line.stop_hearing();
    }
}

/// How a line ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Nobody is there any more.
    Gone,
    /// Somebody may be, whom this process does not understand.
    Broken,
}

fn obey(line: &Line, mut heard: Heard, shutdown: &Shutdown, answer: &Sender<Order>) -> End {
    loop {
        while let Some(text) = heard.next() {
            match Order::parse(&text) {
                Some(Order::Drain) => shutdown.drain(),
                Some(Order::Force) => shutdown.force(),
                Some(order @ (Order::Admitted(_) | Order::Full { .. })) => {
                    // Nobody waits for it any more when the door was left.
                    let _ = answer.try_send(order);
                }
                None => tracing::error!(text, "not understood: the parent is of another version"),
            }
        }
        match line.hear(&mut heard, Wait::Block) {
            Ok(true) => {}
            Ok(false) => return End::Gone,
            // It has not heard all that it was told.
            Err(error) if Errno::from_io_error(&error) == Some(Errno::CONNRESET) => {
                return End::Gone;
            }
            Err(error) => {
                tracing::error!(%error, "the line to the parent broke");
                return End::Broken;
            }
        }
    }
}

/// What a parent would have seen to.
fn end_alone(end: End, context: Context<'_>, door: Option<&Listener>, left: &Receiver<()>) {
    // First: who finds the door closed is to know why.
    context.shutdown.drain();
    if end == End::Broken {
        return;
    }
    tracing::debug!("the parent is gone");
    ORPHANED.store(true, Ordering::SeqCst);
    if let Some(door) = door {
        // A session at work holds it, and so do others like it: clients would come and never be served.
        door.stop();
    }
    let patience = context.limits.drain.saturating_add(GRACE);
    if left.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
        tracing::error!(
            "a session does not end, and nobody is left to kill its process: it does so itself"
        );
        if let Err(error) = kill_process(getpid(), Signal::KILL) {
            tracing::error!(%error, "a process cannot kill itself");
        }
    }
}
