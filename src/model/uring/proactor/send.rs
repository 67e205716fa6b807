//! [`Send`]: a send as the kernel reads it from the submission queue, so that it can be made longer until it is
//! submitted, and then be copied as it is.
#![allow(unsafe_code)]

use super::op::{LENGTH, SEND, data};
use io_uring::{opcode, squeue};
use rustix::net::{RecvFlags, SendFlags};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

/// Neither SIGPIPE nor waiting.
const FLAGS: u32 = SendFlags::NOSIGNAL.bits() | SendFlags::DONTWAIT.bits();

/// In the user data: there are several messages in it.
const SEVERAL: u64 = 1 << 8;

/// In the user data: its bytes are borrowed.
const BORROWED: u64 = 1 << 9;

const _: () = assert!(SEVERAL > 0xff && BORROWED < 1 << LENGTH);

/// How an entry of the submission queue begins: what is to be done, and with which socket, which is to stay open for as long
/// as there may be a send to it. In one word, as it is copied for each send.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    opcode: u8,
    flags: u8,
    io_priority: u16,
    fd: RawFd,
}

impl Target {
    const fn new(fd: RawFd, flags: squeue::Flags) -> Self {
        Self {
            opcode: opcode::Send::CODE,
            flags: flags.bits(),
            io_priority: 0,
            fd,
        }
    }

    /// The kernel looks for it among the descriptors of this process.
    pub(super) fn descriptor(stream: BorrowedFd<'_>) -> Self {
        Self::new(stream.as_raw_fd(), squeue::Flags::empty())
    }

    /// The kernel has it [registered](super::ring::files).
    pub(super) fn registered(key: u32) -> Self {
        Self::new(key as RawFd, squeue::Flags::FIXED_FILE)
    }

    /// Nothing is to be done.
    const NOTHING: Self = Self {
        opcode: opcode::Nop::CODE,
        ..Self::new(-1, squeue::Flags::empty())
    };
}

/// An entry of the submission queue (`struct io_uring_sqe`), by the names that its fields have for a send.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Send {
    target: Target,
    destination: u64,
    address: u64,
    len: u32,
    message_flags: u32,
    /// What comes back: that it was a send, whose, and of how many bytes. The kernel does not look at it.
    user_data: u64,
    zero: [u64; 3],
}

const _: () = assert!(size_of::<Send>() == size_of::<squeue::Entry>());
const _: () = assert!(align_of::<Send>() == align_of::<squeue::Entry>());

impl Send {
    /// Bytes of the longest, which is so long as its user data has room for.
    pub(super) const LONGEST: usize = (1 << (u32::BITS - LENGTH)) - 1;

    #[inline]
    pub(super) fn new(key: u32, target: Target, address: usize, len: usize) -> Self {
        debug_assert!(len <= Self::LONGEST, "{len}");
        Self {
            target,
            destination: 0,
            address: address as u64,
            len: len as u32,
            message_flags: FLAGS,
            user_data: data(SEND, key) | (len as u64) << LENGTH,
            zero: [0; 3],
        }
    }

    /// Says that it is of several messages, and whether that was said before.
    pub(super) fn becomes_several(&mut self) -> bool {
        let before = self.is_several();
        self.user_data |= SEVERAL;
        before
    }

    pub(super) fn is_several(&self) -> bool {
        self.user_data & SEVERAL != 0
    }

    /// Says that its bytes are not among its sender's own.
    pub(super) fn borrows(&mut self) {
        self.user_data |= BORROWED;
    }

    pub(super) fn is_borrowed(&self) -> bool {
        self.user_data & BORROWED != 0
    }

    /// Makes it complete only if not all of it goes out.
    pub(super) fn hush(&mut self) {
        self.target.flags |= squeue::Flags::SKIP_SUCCESS.bits();
        if self.target.opcode == opcode::Send::CODE {
            // Without it, one that was cut short has gone out, to the kernel. rustix has it for receiving only; the number
            // is the same.
            self.message_flags |= RecvFlags::WAITALL.bits();
        }
    }

    pub(super) fn address(&self) -> usize {
        self.address as usize
    }

    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    /// Its bytes are its sender's own now, and there.
    pub(super) fn move_to(&mut self, address: usize) {
        self.address = address as u64;
        self.user_data &= !BORROWED;
    }

    pub(super) fn lengthen(&mut self, more: usize) {
        debug_assert!(self.len() + more <= Self::LONGEST, "{more}");
        self.len += more as u32;
        self.user_data += (more as u64) << LENGTH;
    }

    /// Makes it do nothing.
    pub(super) fn withdraw(&mut self) {
        self.target = Target::NOTHING;
        self.message_flags = 0;
        self.user_data -= u64::from(self.len) << LENGTH;
        self.len = 0;
    }

    /// As entries of the queue.
    #[inline]
    pub(super) fn entries(sends: &[Self]) -> &[squeue::Entry] {
        // SAFETY: both are `struct io_uring_sqe`: `repr(C)`, of the same size and alignment, numbers only, and any bits
        // are good for them. (Whether each field is where the kernel looks for it is not a question of memory.)
        unsafe { std::slice::from_raw_parts(sends.as_ptr().cast(), sends.len()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use io_uring::types::{Fd, Fixed};
    use std::os::fd::AsFd;

    fn words(entry: &squeue::Entry) -> [u64; 8] {
        // SAFETY: an entry is 64 bytes of numbers, aligned to 8.
        unsafe { *std::ptr::from_ref(entry).cast() }
    }

    #[test]
    fn its_fields_are_where_the_kernel_looks_for_them() {
        let bytes = [0_u8; 300];
        let stdin = std::io::stdin();
        let stdin = stdin.as_fd();
        let mut ours = [
            Send::new(
                0x12_3456,
                Target::descriptor(stdin),
                bytes.as_ptr().addr(),
                bytes.len() - 1,
            ),
            Send::new(u32::MAX, Target::registered(77), bytes.as_ptr().addr(), 1),
        ];
        ours[0].lengthen(1);
        ours[1].hush();
        let (ptr, len) = (bytes.as_ptr(), bytes.len() as u32);
        let hushed = FLAGS | RecvFlags::WAITALL.bits();
        let theirs = [
            opcode::Send::new(Fd(stdin.as_raw_fd()), ptr, len)
                .flags(FLAGS as i32)
                .build()
                .user_data(data(SEND, 0x12_3456) | u64::from(len) << LENGTH),
            opcode::Send::new(Fixed(77), ptr, 1)
                .flags(hushed as i32)
                .build()
                .flags(squeue::Flags::SKIP_SUCCESS)
                .user_data(data(SEND, u32::MAX) | 1 << LENGTH),
        ];
        let [ours, theirs] = [Send::entries(&ours), &theirs].map(|entries| {
            let words: Vec<_> = entries.iter().map(words).collect();
            words
        });
        assert_eq!(ours, theirs);
    }

    #[test]
    fn a_withdrawn_one_is_nothing_to_do_hushed_or_not() {
        for skips in [squeue::Flags::empty(), squeue::Flags::SKIP_SUCCESS] {
            let mut withdrawn = [Send::new(7, Target::registered(7), 0, 9)];
            withdrawn[0].withdraw();
            if !skips.is_empty() {
                withdrawn[0].hush();
            }
            let nothing = opcode::Nop::new().build();
            let nothing = nothing.flags(skips).user_data(data(SEND, 7));
            assert_eq!(withdrawn[0].len(), 0);
            let [withdrawn] = Send::entries(&withdrawn) else {
                panic!("there is one");
            };
            assert_eq!(words(withdrawn), words(&nothing));
        }
    }
}
