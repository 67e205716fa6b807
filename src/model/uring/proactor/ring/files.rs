//! [`Files`]: sockets that the kernel has *registered*, each at the key of its client, so that a send need not look for
//! its descriptor, nor count itself among those who use the socket: with hundreds of clients, that is a line of memory
//! for each message that nobody else needs.
//!
//! What is registered stays open, whoever closes its descriptor, until it is not registered any more.

use super::Ring;
use crate::model::uring::proactor::op::{Op, UNREGISTER, data};
use io_uring::{IoUring, opcode, squeue};
use rustix::process::{Resource, getrlimit};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};

/// Most clients of a ring who are registered: for each that there could be, the table takes 4 bytes of ours and 8 of the
/// kernel (16 before Linux 6.13).
const MOST: u32 = 1 << 14;

/// In place of a descriptor: nobody.
const NOBODY: RawFd = -1;

pub(super) struct Files {
    /// By key, what is to be registered. The kernel reads it there.
    descriptors: Box<[AtomicI32]>,
}

impl Files {
    /// A table for the clients of a ring. `None` where there is none to be had, or the kernel keeps sockets open for a
    /// while that are not registered any more (before Linux 6.4; those since 6.10 can be told from others).
    pub(super) fn of(queues: &IoUring) -> Option<Self> {
        if !queues.params().is_feature_recvsend_bundle() {
            return None;
        }
        // The kernel refuses more than there may be descriptors.
        let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let length = MOST.min(u32::try_from(descriptors).unwrap_or(MOST));
        queues.submitter().register_files_sparse(length).ok()?;
        let nobody = (0..length).map(|_| AtomicI32::new(NOBODY));
        Some(Self {
            descriptors: nobody.collect(),
        })
    }
}

impl Ring {
    /// Registers a client's socket. Says whether it does: not of all there are can be registered.
    pub(in super::super) fn register(&mut self, key: u32, stream: BorrowedFd<'_>) -> bool {
        let Some(update) = self.update(key, stream.as_raw_fd()) else {
            return false;
        };
        self.ask(update, Op::Registered(key));
        true
    }

    /// Ends that, though it may just have been asked for.
    pub(in super::super) fn unregister(&mut self, key: u32) {
        if let Some(update) = self.update(key, NOBODY) {
            self.ask_hushed(update, data(UNREGISTER, key));
        }
    }

    /// The kernel reads what is to be registered when the update is submitted, and not later.
    fn update(&self, key: u32, descriptor: RawFd) -> Option<squeue::Entry> {
        let place = self.files.as_ref()?.descriptors.get(key as usize)?;
        place.store(descriptor, Ordering::Relaxed);
        let update = opcode::FilesUpdate::new(place.as_ptr(), 1).offset(key as i32);
        Some(update.build())
    }

    /// Whether anybody is registered.
    #[cfg(test)]
    pub(in super::super) fn registers(&self) -> bool {
        self.files.is_some()
    }

    /// Lets go of whatever is registered, at once: a queue that is closed does it later.
    pub(super) fn close_files(&mut self) {
        if self.files.is_some()
            && let Err(error) = self.queues.submitter().unregister_files()
        {
            tracing::error!(%error, "a ring could not let go of its sockets at once");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{in_time, only_one, ring};
    use super::super::{Outgoing, Ring, Until};
    use super::*;
    use crate::model::uring::proactor::outgoing::Gathered;
    use crate::model::uring::proactor::send::Target;
    use rustix::io::Errno;
    use std::io::{ErrorKind, IoSlice, Read, Write};
    use std::net::TcpStream;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;
    use std::thread;

    /// As [`ring`], of those that register.
    fn registering() -> Option<(Ring, TcpStream, TcpStream)> {
        let ring = ring()?;
        if !ring.0.registers() {
            eprintln!("skipped: this kernel is older than what is tested");
            return None;
        }
        Some(ring)
    }

    fn register(ring: &mut Ring, key: u32, stream: &TcpStream) {
        assert!(ring.register(key, stream.as_fd()));
        let registered = only_one(ring);
        assert_eq!(
            (registered.op(), registered.result()),
            (Op::Registered(key), Ok(1))
        );
    }

    /// A ring with whom it has registered at a key, whose descriptor is closed, and the other end.
    fn with_registered(key: u32) -> Option<(Ring, TcpStream)> {
        let (mut ring, server, client) = registering()?;
        register(&mut ring, key, &server);
        Some((ring, client))
    }

    /// Sends to whoever is registered at a key. Says what went wrong, if anything did.
    fn send(ring: &mut Ring, key: u32, words: &[u8]) -> Option<Errno> {
        let mut outgoing = Outgoing::new();
        let mut mine = Gathered::of(key, Target::registered(key));
        let gathered = outgoing.gather(&mut mine, &[IoSlice::new(words)]);
        assert_eq!(gathered, Some(words.len()));
        ring.enter(&mut outgoing, Until::Submitted).unwrap();
        let unsent = ring.take_unsent().pop()?;
        assert_eq!(unsent.key, key);
        unsent.result.err()
    }

    fn hear(client: &mut TcpStream, words: &[u8]) {
        let mut heard = vec![0; words.len()];
        client.read_exact(&mut heard).unwrap();
        assert_eq!(heard, words);
    }

    /// Whether its other end is open, as far as it has heard.
    fn hears_no_end(client: &mut TcpStream) -> bool {
        client.set_nonblocking(true).unwrap();
        let heard = client.read(&mut [0]);
        client.set_nonblocking(false).unwrap();
        heard.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    #[test]
    fn who_is_registered_is_sent_to_without_its_descriptor_and_closed_when_it_no_longer_is() {
        let Some((mut ring, mut client)) = with_registered(7) else {
            return;
        };
        for words in [b"words", b"again"] {
            assert_eq!(send(&mut ring, 7, words), None);
            hear(&mut client, words);
        }
        assert!(hears_no_end(&mut client));
        ring.unregister(7);
        ring.enter(&mut Outgoing::new(), Until::Submitted).unwrap();
        assert!(!ring.has_completions());
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        assert_eq!(send(&mut ring, 7, b"nobody"), Some(Errno::BADF));
    }

    #[test]
    fn who_leaves_before_it_is_registered_leaves_nothing_behind() {
        let Some((mut ring, server, mut client)) = registering() else {
            return;
        };
        assert!(ring.register(7, server.as_fd()));
        ring.unregister(7);
        drop(server);
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        assert_eq!(only_one(&mut ring).op(), Op::Registered(7));
        assert_eq!(ring.in_flight, 0);
        assert_eq!(send(&mut ring, 7, b"nobody"), Some(Errno::BADF));
    }

    #[test]
    fn who_is_unregistered_is_closed_before_the_kernel_waits_for_what_comes_next() {
        let Some((mut ring, mut client)) = with_registered(7) else {
            return;
        };
        let (told, tell) = UnixStream::pair().unwrap();
        ring.watch_readable(8, told.as_fd());
        let client = thread::spawn(move || {
            assert_eq!(client.read(&mut [0]).unwrap(), 0);
            (&tell).write_all(b"closed").unwrap();
        });
        ring.unregister(7);
        assert_eq!(only_one(&mut ring).op(), Op::Readable(8));
        client.join().unwrap();
    }

    #[test]
    fn where_the_next_one_cannot_be_registered_the_one_before_is_not_sent_to() {
        let Some((mut ring, mut client)) = with_registered(7) else {
            return;
        };
        // There is no such descriptor.
        let refused = ring.update(7, RawFd::MAX).unwrap();
        ring.ask(refused, Op::Registered(7));
        assert_eq!(only_one(&mut ring).result(), Err(Errno::BADF));
        assert_eq!(send(&mut ring, 7, b"nobody"), Some(Errno::BADF));
        // Its descriptor is closed, and so is its place in the table.
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn whoever_comes_to_a_key_next_is_sent_to_and_not_the_one_before() {
        let Some((mut ring, first, mut client)) = registering() else {
            return;
        };
        register(&mut ring, 7, &first);
        let Some((_, second, mut next_client)) = registering() else {
            return;
        };
        register(&mut ring, 7, &second);
        assert_eq!(send(&mut ring, 7, b"words"), None);
        hear(&mut next_client, b"words");
        assert!(hears_no_end(&mut client), "it has heard nothing");
    }

    #[test]
    fn where_the_table_ends_nobody_is_registered() {
        let Some((mut ring, server, _client)) = registering() else {
            return;
        };
        let length = ring.files.as_ref().unwrap().descriptors.len() as u32;
        assert!(length > 0 && length <= MOST);
        assert!(!ring.register(length, server.as_fd()));
        assert!(ring.asked.is_empty() && ring.in_flight == 0);
        register(&mut ring, length - 1, &server);
    }

    #[test]
    fn a_ring_that_is_dropped_closes_whoever_is_registered() {
        let Some((ring, mut client)) = with_registered(7) else {
            return;
        };
        in_time("the ring is dropped", move || drop(ring));
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
    }
}
