//! What every test needs: an end, a section that stays inside until it may leave, and panics that are seen.

use guardhouse::sync::Lock;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

/// After how long a test says that what it waits for will not come. An interpreter's clock runs ahead of its work.
pub(crate) const PATIENCE: Duration = Duration::from_secs(if cfg!(miri) { 3600 } else { 20 });
/// For what is to expire.
pub(crate) const SHORT: Duration = Duration::from_millis(5);

/// Who may look while who is inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Looks {
    /// Lookers keep each other out.
    Alone,
    /// Lookers let each other in.
    Together,
    /// Lookers wait for nobody, and nobody waits for them.
    Always,
}

/// Runs `test`, and says so if it does not come to an end.
pub(crate) fn in_time(test: impl FnOnce() + Send + 'static) {
    let (running, ended) = mpsc::channel::<()>();
    let test = thread::spawn(move || {
        let _running = running;
        test();
    });
    match ended.recv_timeout(3 * PATIENCE) {
        Err(RecvTimeoutError::Timeout) => panic!("it does not come to an end"),
        _ => test.join().unwrap_or_else(|panic| resume_unwind(panic)),
    }
}

/// Tells that it is inside, and stays there until it may leave.
fn stay(entered: Sender<()>, leave: &Receiver<()>) {
    drop(entered);
    let may_leave = leave.recv_timeout(PATIENCE);
    assert_eq!(may_leave, Err(RecvTimeoutError::Disconnected));
}

/// Runs `test` while another thread is in the section that `hold` enters and [`stay`]s in. It leaves when what `test`
/// is given is dropped.
fn while_held(hold: impl FnOnce(Sender<()>, Receiver<()>) + Send, test: impl FnOnce(Sender<()>)) {
    let (entered, inside) = mpsc::channel();
    let (leave, left) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| hold(entered, left));
        let inside = inside.recv_timeout(PATIENCE);
        assert_eq!(inside, Err(RecvTimeoutError::Disconnected), "it is inside");
        test(leave);
    });
}

pub(crate) fn while_somebody_changes<L: Lock>(lock: &L, test: impl FnOnce(Sender<()>)) {
    while_held(
        |entered, leave| lock.exclusive(move |_| stay(entered, &leave)),
        test,
    );
}

pub(crate) fn while_somebody_looks<L: Lock>(lock: &L, test: impl FnOnce(Sender<()>)) {
    while_held(
        |entered, leave| lock.shared(move |_| stay(entered, &leave)),
        test,
    );
}

/// What `section` panics with.
pub(crate) fn panic_of<R>(section: impl FnOnce() -> R) -> Box<dyn Any + Send> {
    catch_unwind(AssertUnwindSafe(section))
        .err()
        .expect("it panics")
}

pub(crate) fn sentence_of<R>(section: impl FnOnce() -> R) -> String {
    match panic_of(section).downcast::<String>() {
        Ok(sentence) => *sentence,
        Err(other) => (*other.downcast::<&str>().expect("text")).into(),
    }
}

/// Unwinds without the hook: the test's output stays clean.
pub(crate) fn break_it() -> ! {
    resume_unwind(Box::new("a section broke"))
}
