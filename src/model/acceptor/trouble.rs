//! [`Trouble`]: what the errors of accept(2) mean for who accepts.

use rustix::io::Errno;
use std::io;

/// Whose trouble an error of accept is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Nobody's: no client waits.
    Nobody,
    /// One client's: it is gone, the next may be well. Linux also reports pending network errors of the new
    /// connection here (accept(2), "Error handling").
    TheirsAlone,
    /// Ours for a while: descriptors or memory.
    Shortage,
    /// Ours for good.
    Fatal,
}

impl Trouble {
    pub(super) fn of(error: &io::Error) -> Self {
        let Some(errno) = Errno::from_io_error(error) else {
            return Self::Fatal;
        };
        match errno {
            Errno::AGAIN => Self::Nobody,
            Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM => Self::Shortage,
            Errno::BADF | Errno::INVAL | Errno::NOTSOCK | Errno::FAULT => Self::Fatal,
            _ => Self::TheirsAlone,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_broken_listener_ends_accepting() {
        let of = |errno: Errno| Trouble::of(&errno.into());
        assert_eq!(of(Errno::AGAIN), Trouble::Nobody);
        for theirs in [
            Errno::CONNABORTED,
            Errno::PROTO,
            Errno::PERM,
            Errno::NETDOWN,
        ] {
            assert_eq!(of(theirs), Trouble::TheirsAlone, "{theirs}");
        }
        for ours in [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM] {
            assert_eq!(of(ours), Trouble::Shortage, "{ours}");
        }
        assert_eq!(of(Errno::BADF), Trouble::Fatal);
    }
}
