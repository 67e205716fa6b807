//! How much of what was sent the client's side has not confirmed.
#![allow(unsafe_code)]

use std::os::fd::BorrowedFd;

/// Bytes that were written to the socket and not yet acknowledged by the other side (`SIOCOUTQ`). Closing a
/// socket before they are puts them at risk: one more byte from the client, and the answer to it is an RST.
/// Where the system cannot tell: 0.
#[cfg(target_os = "linux")]
pub(crate) fn unacknowledged(stream: BorrowedFd<'_>) -> u64 {
    use rustix::ioctl::{Getter, Opcode, ioctl};
    use std::ffi::c_int;

    const SIOCOUTQ: Opcode = 0x5411;
    // SAFETY: SIOCOUTQ writes one `int` through its argument and reads nothing (tcp(7)).
    let query = unsafe { Getter::<SIOCOUTQ, c_int>::new() };
    // SAFETY: the getter's number and type belong together, as said above.
    let answer = unsafe { ioctl(stream, query) };
    answer.map_or(0, |bytes| u64::try_from(bytes).unwrap_or(0))
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn unacknowledged(_: BorrowedFd<'_>) -> u64 {
    0
}
