//! What every strategy promises of its critical sections, whichever lock it is made of. The foreign lock shows that
//! one which this crate has never heard of plugs in through `lock_api`.
//!
//! A test is called `STRATEGY::CLAIM`. A new strategy is one line in [`strategies!`] below.

mod alone;
mod foreign;
mod particular;
mod patience;
mod stage;
mod together;

use guardhouse::sync::{Actor, Lock, OneThread, SemaphoreLock, Snapshot, SpinMutex, TicketMutex};

macro_rules! claims {
    ($home:ident; $($claim:ident($($arg:expr),+);)+) => {$(
        #[test]
        fn $claim() {
            crate::stage::in_time(|| crate::$home::$claim($($arg),+));
        }
    )+};
}

macro_rules! forms {
    (one_thread, $looks:ident, $new:expr) => {
        claims! { alone;
            a_section_borrows_from_its_caller_and_returns_to_it(&$new(0));
            a_panic_inside_leaves_the_next_section_working(&$new(0));
            a_value_is_dropped_once($new(crate::alone::Traced::default()));
        }
    };
    (threads, $looks:ident, $new:expr) => {
        claims! { together;
            no_change_is_lost(&$new(0));
            a_change_is_alone(&$new(0), crate::stage::Looks::$looks);
            a_look_never_sees_half_a_change(&$new((0, 0)));
            a_panic_inside_lets_other_threads_in(&$new(0));
            two_look_at_once_where_they_may(&$new(0), crate::stage::Looks::$looks);
        }
    };
    (tries, $looks:ident, $new:expr) => {
        claims! { patience;
            a_try_says_no_instead_of_waiting(&$new(0), crate::stage::Looks::$looks);
        }
    };
    (times, $looks:ident, $new:expr) => {
        claims! { patience;
            a_timed_section_expires_and_leaves_no_trace(&$new(0), crate::stage::Looks::$looks);
            a_timed_section_enters_when_the_holder_leaves_in_time(&$new(0));
        }
    };
}

/// A strategy, who may look, what it can, how it is made. `Timed` changes nothing of what it is around.
macro_rules! strategies {
    ($($(#[$meta:meta])* $name:ident $looks:ident [$($form:ident)+] $new:expr;)+) => {$(
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;
            $(forms! { $form, $looks, $new })+
        }
    )+};
}

strategies! {
    mutex Alone [one_thread threads tries times] parking_lot::Mutex::new;
    fair_mutex Alone [one_thread threads tries times] parking_lot::FairMutex::new;
    foreign_mutex Alone [one_thread threads tries] lock_api::Mutex::<foreign::Raw, _>::new;
    rwlock Together [one_thread threads tries times] parking_lot::RwLock::new;
    std_mutex Alone [one_thread threads tries] std::sync::Mutex::new;
    std_rwlock Together [one_thread threads tries] std::sync::RwLock::new;
    semaphore_of_1 Alone [one_thread threads tries times] |value| SemaphoreLock::with_permits(value, 1);
    semaphore_of_4 Together [one_thread threads tries times] |value| SemaphoreLock::with_permits(value, 4);
    ticket Alone [one_thread threads tries times] TicketMutex::new;
    spin Alone [one_thread threads tries times] SpinMutex::new;
    snapshot Always [one_thread threads tries times] Snapshot::new;
    sharded Together [one_thread threads tries] crossbeam_utils::sync::ShardedLock::new;
    actor Alone [one_thread threads] Actor::new;
    none Alone [one_thread] OneThread::new;
    // An interpreter takes minutes for what they count; there, what is inside is enough.
    #[cfg(not(miri))]
    watched_rwlock Together [one_thread threads tries times] guardhouse::sync::Timed::<parking_lot::RwLock<_>>::new;
    #[cfg(not(miri))]
    watched_snapshot Always [one_thread threads tries times] guardhouse::sync::Timed::<Snapshot<_>>::new;
    #[cfg(not(miri))]
    watched_actor Alone [one_thread threads] guardhouse::sync::Timed::<Actor<_>>::new;
    #[cfg(not(miri))]
    watched_none Alone [one_thread] guardhouse::sync::Timed::<OneThread<_>>::new;
}
