//! What the kernel is asked for, and how it answers.

use super::inputs::Input;
use io_uring::cqueue;
use rustix::io::Errno;

/// What an operation is for. It comes back with its completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// A client waits at the listener.
    Accept,
    /// Something came from the client of this key.
    Receive(u32),
    /// The client of this key has room again.
    Writable(u32),
    /// The descriptor of this name is readable.
    Readable(u32),
    /// The kernel has taken note of which socket is at this key.
    Registered(u32),
}

const RECEIVE: u64 = 0;
pub(super) const ACCEPT: u64 = 1;
const WRITABLE: u64 = 2;
const READABLE: u64 = 3;
pub(super) const SEND: u64 = 4;
pub(super) const CANCEL: u64 = 5;
const REGISTERED: u64 = 6;
pub(super) const UNREGISTER: u64 = 7;

impl Op {
    pub(super) fn data(self) -> u64 {
        match self {
            Self::Accept => ACCEPT,
            Self::Receive(key) => data(RECEIVE, key),
            Self::Writable(key) => data(WRITABLE, key),
            Self::Readable(name) => data(READABLE, name),
            Self::Registered(key) => data(REGISTERED, key),
        }
    }
}

/// The user data of an operation.
#[inline]
pub(super) fn data(tag: u64, key: u32) -> u64 {
    u64::from(key) << 32 | tag
}

/// What kind of operation has this user data.
#[inline]
pub(super) fn tag(data: u64) -> u64 {
    data & 0xff
}

/// In the user data of a send: from here, up to the key, how many bytes it is of.
pub(super) const LENGTH: u32 = 10;

/// Something that has happened.
pub(super) struct Completion {
    user_data: u64,
    /// The result below the flags: two numbers travel in two registers.
    outcome: u64,
}

impl Completion {
    /// As the kernel has put it down.
    #[inline]
    #[allow(clippy::needless_pass_by_value)] // What has happened is told once.
    pub(super) fn of(entry: cqueue::Entry) -> Self {
        Self {
            user_data: entry.user_data(),
            outcome: u64::from(entry.flags()) << 32 | u64::from(entry.result() as u32),
        }
    }

    /// It is of a send, and all bytes of that went out.
    #[inline]
    pub(super) fn is_whole_send(&self) -> bool {
        let length = self.user_data as u32 >> LENGTH;
        // An errno is negative, and no length is as great as that.
        (self.tag() == SEND) & (self.raw_result() as u32 == length)
    }

    /// It is of a receive that goes on, as nearly all are.
    #[inline]
    pub(super) fn is_lasting_receive(&self) -> bool {
        self.tag() == RECEIVE && self.has_more()
    }

    /// What was asked for.
    #[inline]
    pub(super) fn op(&self) -> Op {
        if self.tag() == RECEIVE {
            return Op::Receive(self.key());
        }
        self.op_but_receive()
    }

    #[cold] // In one branch with the rest, it would be looked up in a table.
    fn op_but_receive(&self) -> Op {
        let key = self.key();
        match self.tag() {
            WRITABLE => Op::Writable(key),
            READABLE => Op::Readable(key),
            REGISTERED => Op::Registered(key),
            _ => Op::Accept,
        }
    }

    #[inline]
    pub(super) fn tag(&self) -> u64 {
        tag(self.user_data)
    }

    #[inline]
    pub(super) fn key(&self) -> u32 {
        (self.user_data >> 32) as u32
    }

    #[inline]
    fn raw_result(&self) -> i32 {
        self.outcome as i32
    }

    #[inline]
    fn flags(&self) -> u32 {
        (self.outcome >> 32) as u32
    }

    /// What the call would have returned.
    #[inline]
    pub(super) fn result(&self) -> Result<u32, Errno> {
        let result = self.raw_result();
        u32::try_from(result).map_err(|_| Errno::from_raw_os_error(-result))
    }

    /// The operation goes on.
    #[inline]
    pub(super) fn has_more(&self) -> bool {
        cqueue::more(self.flags())
    }

    /// Where it received what it received. Empty at the end of input, and when there was an error.
    #[inline]
    pub(super) fn into_input(self) -> Option<Input> {
        let id = cqueue::buffer_select(self.flags())?;
        Some(Input::of_completion(
            id,
            u32::try_from(self.raw_result()).unwrap_or(0),
        ))
    }
}

/// A send of which something is left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unsent {
    pub(super) key: u32,
    pub(super) result: Result<u32, Errno>,
}
