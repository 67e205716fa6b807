//! The system calls of a ring, but for those that tell the kernel of buffers.
#![allow(unsafe_code)]

use io_uring::types::{SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring};
use rustix::io::Errno;
use std::io;
use std::time::Duration;

/// Submitted at one call.
pub(super) const SUBMISSIONS: u32 = 512;

/// Completions that the kernel can put down before we take any. It keeps what exceeds that until it is asked again.
pub(super) const COMPLETIONS: u32 = 2048;

/// How long an [`Ring::enter`](super::Ring::enter) waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::model::uring::proactor) enum Until {
    /// Everything is submitted. What has happened meanwhile may be told later.
    Submitted,
    /// What has happened already is told.
    Polled,
    /// Something has happened, or the time is over (`None`: for ever), or a signal came.
    Happened(Option<Duration>),
}

/// Queues as ours are: the thread that calls this submits, and completions are put down only while it waits for them.
///
/// # Errors
/// What the kernel says: see [`needs`](crate::model::uring::proactor::needs) for what that means.
pub(in crate::model::uring::proactor) fn setup() -> io::Result<IoUring> {
    IoUring::builder()
        .setup_single_issuer()
        .setup_coop_taskrun()
        .setup_defer_taskrun()
        .setup_taskrun_flag()
        .setup_submit_all()
        .setup_cqsize(COMPLETIONS)
        .build(SUBMISSIONS)
}

/// `io_uring_enter(2)`, once.
#[inline(always)]
#[allow(clippy::inline_always)] // Once per turn, which may be of one message.
pub(super) fn enter(ring: &IoUring, until: Until) -> io::Result<()> {
    let submitter = ring.submitter();
    // SAFETY: nobody has the submission queue at the moment: whoever fills it drops it before.
    let queued = unsafe { ring.submission_shared() }.len() as u32;
    let (least, flags) = match until {
        Until::Submitted => (0, EnterFlags::empty()),
        Until::Polled => (0, EnterFlags::GETEVENTS),
        Until::Happened(None) => (1, EnterFlags::GETEVENTS),
        Until::Happened(Some(_)) => (1, EnterFlags::GETEVENTS | EnterFlags::EXT_ARG),
    };
    let entered = if let Until::Happened(Some(timeout)) = until {
        let timeout = Timespec::from(timeout);
        let args = SubmitArgs::new().timespec(&timeout);
        // SAFETY: the argument is what EXT_ARG says it is, and outlives the call.
        unsafe { submitter.enter(queued, least, flags.bits(), Some(&args)) }
    } else {
        // SAFETY: there is no argument.
        unsafe { submitter.enter::<()>(queued, least, flags.bits(), None) }
    };
    match entered {
        Ok(_) => Ok(()),
        Err(error) => match Errno::from_io_error(&error) {
            // Interrupted; the time is over; short of memory for now, or of room for completions.
            Some(Errno::INTR | Errno::TIME | Errno::AGAIN | Errno::BUSY) => Ok(()),
            _ => Err(error),
        },
    }
}
