//! [`prefetch`]: what is needed next is fetched while something else is done.
//!
//! Where clients are many, what a message needs of its client has left the processor's cache since the last one, and lies some
//! hundred cycles away. Whoever knows what that will be, and has a call into the kernel to make before, does not wait for it.
#![allow(unsafe_code)]

/// Has the processor fetch the line of memory in which `what` begins, if it can be told to. Waits for nothing.
#[inline]
pub(crate) fn prefetch<T>(what: &T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: it is a hint, which changes nothing but caches, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(what).cast()) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = what;
}
