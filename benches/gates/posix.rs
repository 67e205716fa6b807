//! `sem_t` of POSIX, private to the process. (`sem_overview(7)`)
#![allow(unsafe_code)]

use super::Gate;
use std::cell::UnsafeCell;
use std::io;
use std::mem::MaybeUninit;

/// Boxed: it stays where it was initialised, as POSIX demands. It takes one permit at a time only: `n` is 1.
pub(crate) struct Posix(Box<UnsafeCell<libc::sem_t>>);

// SAFETY: every function of `sem_t` but `sem_destroy` may be called by any thread at any time, and that one is called
// by `drop` only, when no other thread can have a reference.
unsafe impl Send for Posix {}
// SAFETY: as above.
unsafe impl Sync for Posix {}

impl Gate for Posix {
    const NAME: &'static str = "POSIX sem_t";

    fn new(permits: usize) -> Self {
        // SAFETY: `sem_t` is plain bytes, for which zero is a value; `sem_init` gives it its own before anyone uses it.
        let blank = unsafe { MaybeUninit::<libc::sem_t>::zeroed().assume_init() };
        let semaphore = Self(Box::new(UnsafeCell::new(blank)));
        // SAFETY: it points into the box, which nobody else knows yet, and is initialised for the first time.
        let code = unsafe { libc::sem_init(semaphore.0.get(), 0, permits as libc::c_uint) };
        assert_eq!(code, 0, "sem_init: {}", io::Error::last_os_error());
        semaphore
    }

    #[inline]
    fn enter(&self, _: usize, section: impl FnOnce()) {
        // SAFETY: initialised by `new`, and destroyed only by `drop`.
        while unsafe { libc::sem_wait(self.0.get()) } != 0 {
            let error = io::Error::last_os_error();
            assert_eq!(
                error.kind(),
                io::ErrorKind::Interrupted,
                "sem_wait: {error}"
            );
        }
        section();
        // SAFETY: as for `sem_wait`.
        let code = unsafe { libc::sem_post(self.0.get()) };
        assert_eq!(code, 0, "sem_post: {}", io::Error::last_os_error());
    }
}

impl Drop for Posix {
    fn drop(&mut self) {
        // SAFETY: initialised by `new`; `&mut` says that nobody waits for it, and nobody will use it again.
        unsafe { libc::sem_destroy(self.0.get()) };
    }
}
