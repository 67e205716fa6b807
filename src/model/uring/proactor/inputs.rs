//! [`Inputs`]: the buffers that the kernel receives into, whoever's bytes come next.
//!
//! ```text
//!            published at the next submission             a client's bytes arrive
//!   ours -------------------------------------> kernel's -------------------------> an Input, ours
//!    ^                                                                                    |
//!    +------------------------------------ given back ------------------------------------+
//! ```
//!
//! A client that is silent has no buffer, and all who talk share a set that is small enough for a processor's cache. It lies
//! in one huge page, where the machine has one to give: of 4 KiB each, there would be as many as there are buffers, more
//! than a processor remembers the places of.
#![allow(unsafe_code)]

use io_uring::IoUring;
use io_uring::types::BufRingEntry;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};
use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::io;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU16, Ordering};

/// Buffers in the set, as many as a huge page has room for. When all are in use, whoever's bytes come next has to ask
/// anew.
pub(super) const COUNT: u16 = 504;

/// Entries that the kernel takes buffers from: a power of two, and enough.
const ENTRIES: u16 = 512;

/// Bytes that fit one buffer.
pub(super) const SIZE: usize = 4096;

/// From one buffer's beginning to the next one's: short messages, which fill the first lines of a buffer only, are not
/// to meet in the same few sets of a cache.
const STRIDE: usize = SIZE + 64;

/// Of most processors; where it is another, nothing is lost but time.
const HUGE_PAGE: usize = 2 * 1024 * 1024;

type Buffers = [[UnsafeCell<u8>; STRIDE]; COUNT as usize];

const _: () = assert!(size_of::<Buffers>() <= HUGE_PAGE);
const _: () = assert!(COUNT <= ENTRIES && ENTRIES.is_power_of_two());

/// [`Buffers`] in pages of their own: an allocator that has had so much in its hands, and back, keeps as much for later.
struct Memory {
    /// Where the mapping begins, which is of two huge pages: there is a whole one in it.
    mapping: NonNull<c_void>,
    buffers: NonNull<Buffers>,
}

impl Memory {
    const MAPPED: usize = 2 * HUGE_PAGE;

    /// Buffers full of zeroes.
    fn new() -> io::Result<Self> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: it is a new mapping, at an address that the kernel chooses.
        let mapping =
            unsafe { mmap_anonymous(ptr::null_mut(), Self::MAPPED, access, MapFlags::PRIVATE) }?;
        let mapping = NonNull::new(mapping).expect("the kernel chooses no address of 0");
        let to_a_huge_page = mapping.addr().get().wrapping_neg() % HUGE_PAGE;
        // SAFETY: it is less than a huge page, and there are two.
        let huge_page = unsafe { mapping.byte_add(to_a_huge_page) };
        // SAFETY: it says of memory that is ours what kind of pages are best for it, and changes nothing in it. Where there
        // are none, whether that is refused or ignored, pages are small.
        let _ = unsafe { madvise(huge_page.as_ptr(), HUGE_PAGE, Advice::LinuxHugepage) };
        Ok(Self {
            mapping,
            buffers: huge_page.cast(),
        })
    }

    #[inline]
    fn buffers(&self) -> &Buffers {
        // SAFETY: the mapping has room for them there, is there for as long as `self`, and is all zeroes at first, which
        // are bytes. The kernel writes to cells only.
        unsafe { self.buffers.as_ref() }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: nobody else has it: what is borrowed of it is borrowed of `self`.
        let unmapped = unsafe { munmap(self.mapping.as_ptr(), Self::MAPPED) };
        debug_assert!(unmapped.is_ok(), "it is a mapping");
    }
}

/// The name of the set. A ring has one.
pub(super) const GROUP: u16 = 0;

/// A filled buffer. Whoever has it may read it, until it is given back.
#[derive(Debug)]
pub(super) struct Input {
    id: u16,
    len: u32,
}

impl Input {
    /// What the kernel says it filled.
    pub(super) fn of_completion(id: u16, len: u32) -> Self {
        Self { id, len }
    }
}

pub(super) struct Inputs {
    /// What is written here belongs to the kernel until it says otherwise.
    memory: Memory,
    /// [`ENTRIES`] of them, shared with the kernel; a page's alignment.
    entries: NonNull<BufRingEntry>,
    /// Where the next buffer that is given back goes. The kernel sees it when it is published.
    tail: u16,
}

impl Inputs {
    /// A set that is the kernel's at once.
    ///
    /// # Errors
    /// When there is no memory for it.
    #[allow(clippy::cast_ptr_alignment)] // The layout has seen to it.
    pub(super) fn new() -> io::Result<Self> {
        let memory = Memory::new()?;
        let layout = Self::layout();
        // SAFETY: the layout is not of size 0.
        let entries = unsafe { alloc_zeroed(layout) };
        let Some(entries) = NonNull::new(entries.cast::<BufRingEntry>()) else {
            handle_alloc_error(layout);
        };
        let mut inputs = Self {
            memory,
            entries,
            tail: 0,
        };
        for id in 0..COUNT {
            inputs.give_back(Input { id, len: 0 });
        }
        inputs.publish();
        Ok(inputs)
    }

    fn layout() -> Layout {
        const PAGE: usize = 64 * 1024;
        Layout::array::<BufRingEntry>(usize::from(ENTRIES))
            .and_then(|entries| entries.align_to(PAGE))
            .expect("a few KiB at an alignment of 64 KiB, the largest page there is, are a layout")
    }

    /// Tells `ring` of the set.
    ///
    /// # Errors
    /// What the kernel says.
    ///
    /// # Safety
    /// The set must live for as long as a receive of the ring may.
    pub(super) unsafe fn register(&self, ring: &IoUring) -> io::Result<()> {
        let address = self.entries.as_ptr() as u64;
        // SAFETY: `entries` has room for so many, is aligned to a page, and lives for long enough, says the caller.
        unsafe {
            ring.submitter()
                .register_buf_ring_with_flags(address, ENTRIES, GROUP, 0)
        }
    }

    /// What has arrived.
    #[inline]
    pub(super) fn bytes(&self, input: &Input) -> &[u8] {
        let filled = &self.memory.buffers()[usize::from(input.id)][..input.len as usize];
        // SAFETY: the kernel filled this buffer and gave it to whoever holds the input, of which there is one. It
        // writes there again only when the input was given back, which takes `&mut self` and so ends this
        // borrow. The bytes were initialised when the memory was made.
        unsafe { &*(std::ptr::from_ref(filled) as *const [u8]) }
    }

    /// Returns a buffer. The kernel gets it when [`publish`](Self::publish)ed.
    #[inline]
    #[allow(clippy::needless_pass_by_value)] // Whoever gives it back has it no more.
    pub(super) fn give_back(&mut self, input: Input) {
        let slot = usize::from(self.tail & (ENTRIES - 1));
        let address = self.memory.buffers()[usize::from(input.id)].as_ptr();
        // SAFETY: `slot` is less than ENTRIES. The kernel reads entries from its head to the tail that was
        // published; this one lies past that tail, as there are no more inputs than entries. The number in
        // the first entry's last field is the tail itself, which `set_*` leave alone.
        let entry = unsafe { &mut *self.entries.as_ptr().add(slot) };
        entry.set_addr(address as u64);
        entry.set_len(SIZE as u32);
        entry.set_bid(input.id);
        self.tail = self.tail.wrapping_add(1);
    }

    /// Lets the kernel have all that was given back.
    #[inline]
    pub(super) fn publish(&mut self) {
        // SAFETY: `entries` points to the first entry of the ring, which is initialised.
        let tail = unsafe { BufRingEntry::tail(self.entries.as_ptr()) };
        // SAFETY: the tail is a `u16` in memory of ours that is writable, and is only ever accessed atomically: the
        // kernel reads it from another context.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }
}

impl Drop for Inputs {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with the same layout.
        unsafe { std::alloc::dealloc(self.entries.as_ptr().cast(), Self::layout()) };
    }
}
