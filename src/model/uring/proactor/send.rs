//! [`Send`]: a send as the kernel reads it from the submission queue, so that it can be made longer until it is
//! submitted, and then be copied as it is.
#![allow(unsafe_code)]

use super::ring::{SEND, data};
use io_uring::{opcode, squeue};
use rustix::net::{RecvFlags, SendFlags};
use std::os::fd::RawFd;

/// Neither SIGPIPE nor waiting; and all of it, or the kernel says how much.
const FLAGS: u32 = SendFlags::NOSIGNAL.bits()
    | SendFlags::DONTWAIT.bits()
    // rustix has it for receiving only; the number is the same.
    | RecvFlags::WAITALL.bits();

/// In the user data: there are several messages in it.
const SEVERAL: u64 = 1 << 8;

/// In the user data: from here, up to the key, the place of what it borrows its bytes from, counted from 1.
const BORROWED: u32 = 9;

/// An entry of the submission queue (`struct io_uring_sqe`), by the names that its fields have for a send.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Send {
    opcode: u8,
    flags: u8,
    io_priority: u16,
    fd: RawFd,
    destination: u64,
    address: u64,
    len: u32,
    message_flags: u32,
    /// What comes back: that it was a send, and whose. The kernel does not look at it.
    user_data: u64,
    zero: [u64; 3],
}

const _: () = assert!(size_of::<Send>() == size_of::<squeue::Entry>());
const _: () = assert!(align_of::<Send>() == align_of::<squeue::Entry>());

impl Send {
    #[inline]
    pub(super) fn new(key: u32, fd: RawFd, address: usize, len: usize) -> Self {
        Self {
            opcode: opcode::Send::CODE,
            flags: squeue::Flags::SKIP_SUCCESS.bits(),
            io_priority: 0,
            fd,
            destination: 0,
            address: address as u64,
            len: len as u32,
            message_flags: FLAGS,
            user_data: data(SEND, key),
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

    /// Places that there are for what is borrowed.
    pub(super) const MOST_BORROWED: usize = (1 << (u32::BITS - BORROWED)) - 1;

    /// Says where its bytes are borrowed from.
    pub(super) fn borrows(&mut self, place: usize) {
        debug_assert!(place < Self::MOST_BORROWED, "{place}");
        self.user_data |= (place as u64 + 1) << BORROWED;
    }

    /// Where its bytes are borrowed from, if they are.
    pub(super) fn borrowed(&self) -> Option<usize> {
        let place = self.user_data as u32 >> BORROWED;
        (place as usize).checked_sub(1)
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
        self.user_data &= !(u64::from(u32::MAX) >> BORROWED << BORROWED);
    }

    pub(super) fn lengthen(&mut self, more: usize) {
        self.len += more as u32;
    }

    /// Makes it do nothing.
    pub(super) fn withdraw(&mut self) {
        self.opcode = opcode::Nop::CODE;
        self.fd = -1;
        self.message_flags = 0;
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
    use io_uring::types::Fd;

    fn words(entry: &squeue::Entry) -> [u64; 8] {
        // SAFETY: an entry is 64 bytes of numbers, aligned to 8.
        unsafe { *std::ptr::from_ref(entry).cast() }
    }

    #[test]
    fn its_fields_are_where_the_kernel_looks_for_them() {
        let bytes = [0_u8; 300];
        let ours = [
            Send::new(0x12_3456, 77, bytes.as_ptr().addr(), bytes.len()),
            Send::new(u32::MAX, 0, bytes.as_ptr().addr(), 1),
        ];
        let theirs = [(0x12_3456, 77, bytes.len()), (u32::MAX, 0, 1)].map(|(key, fd, len)| {
            opcode::Send::new(Fd(fd), bytes.as_ptr(), len as u32)
                .flags(FLAGS as i32)
                .build()
                .flags(squeue::Flags::SKIP_SUCCESS)
                .user_data(data(SEND, key))
        });
        let [ours, theirs] = [Send::entries(&ours), &theirs].map(|entries| {
            let words: Vec<_> = entries.iter().map(words).collect();
            words
        });
        assert_eq!(ours, theirs);
    }

    #[test]
    fn a_withdrawn_one_does_nothing_and_says_nothing() {
        let mut withdrawn = [Send::new(0, 0, 0, 9)];
        withdrawn[0].withdraw();
        let nothing = opcode::Nop::new()
            .build()
            .flags(squeue::Flags::SKIP_SUCCESS)
            .user_data(data(SEND, 0));
        assert_eq!(withdrawn[0].len(), 0);
        let [withdrawn] = Send::entries(&withdrawn) else {
            panic!("there is one");
        };
        assert_eq!(words(withdrawn), words(&nothing));
    }
}
