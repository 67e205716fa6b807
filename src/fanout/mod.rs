//! [`Fanout`]: how what one says gets to everybody.

pub(crate) mod herald;

use self::herald::Herald;
use crate::log::Log;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How what one says gets to everybody in the room. What all have in common: whole lines, once, one sender's in the
/// same order for everybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Fanout {
    /// Writes to all inside the critical section, and waits for whoever does not read: the tutorial's way, and its bug. One
    /// client who stops reading stops the room. It is kept to be looked at.
    UnderLock,
    /// Copies the list of members inside, and writes outside, to one after the other.
    Snapshot,
    /// Posts to each member's mailbox inside, which writes nothing, and has them sent outside: each client's at once,
    /// however many spoke meanwhile.
    Queue,
    /// The same, with the members dealt out to several lists, each behind a lock of its own: who joins or leaves is in the way of
    /// a part of a broadcast only.
    Sharded,
    /// Appends to the room's log. Each member is a position in it, and a flush sends everything from there to the end
    /// straight out of it: no work per member before bytes go out.
    #[default]
    Log,
}

impl Fanout {
    /// From the tutorial's to the last.
    pub const ALL: [Self; 5] = [
        Self::UnderLock,
        Self::Snapshot,
        Self::Queue,
        Self::Sharded,
        Self::Log,
    ];

    /// As `--fanout` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::UnderLock => "under-lock",
            Self::Snapshot => "snapshot",
            Self::Queue => "queue",
            Self::Sharded => "sharded",
            Self::Log => "log",
        }
    }
}

/// Where a room is heard that keeps a log.
pub(crate) struct Channel {
    pub(crate) log: Arc<Log>,
    pub(crate) herald: Herald,
    /// How much had been appended when the last walk began that is over.
    walked: AtomicUsize,
}

/// A log keeps so much at least for those who were not found to read slowly, and are only late to be rung: walks are
/// [urgent](Channel::is_behind) long before.
const KEEP: usize = 4 * 1024 * 1024;

/// So much is not to wait for the end of a turn, nor for somebody else's walk.
pub(crate) const URGENT: usize = 128 * 1024;

impl Channel {
    /// One that keeps so many bytes.
    pub(crate) fn new(keep: usize) -> Arc<Self> {
        Arc::new(Self {
            log: Arc::new(Log::new(keep.max(KEEP))),
            herald: Herald::new(),
            walked: AtomicUsize::new(0),
        })
    }

    /// Whether so much was said since the last walk that whoever speaks is to walk, too: the faster all speak, the more of
    /// them carry it out.
    pub(crate) fn is_behind(&self) -> bool {
        let walked = self.walked.load(Ordering::Relaxed);
        self.log.appended().wrapping_sub(walked) > URGENT
    }

    /// Has `pass` go to everybody who listens.
    pub(crate) fn walk(&self, pass: impl Fn()) {
        self.herald.walk(|| {
            let begin = self.log.appended();
            pass();
            self.walked.store(begin, Ordering::Relaxed);
        });
    }
}
