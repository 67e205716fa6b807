//! One suite for every model under every strategy, over real sockets: whichever is chosen, clients see the
//! same server. After each scenario, no thread and no descriptor of the server is left. They run side by side, each with a
//! descriptor table of its own ([`table`]).
//!
//! A test is called `MODEL::STRATEGY::CLAIM`. A new model is one line in [`suite!`] below, and a new scenario one
//! line in [`scenarios!`]. The strategy `none` is for models of one thread, and those say so there. Chats of the suite relay by
//! the default fan-out; the others are in [`fanouts`], what becomes of slow readers in [`slow`], and those who come and go
//! in [`crowd`].

#[path = "../common/mod.rs"]
mod common;

mod chat;
#[cfg(target_os = "linux")]
mod crowd;
mod drain;
mod echo;
mod fanouts;
mod hostile;
mod house;
mod limits;
mod panics;
mod rooms;
mod slow;
#[cfg(target_os = "linux")]
mod table;

use guardhouse::strategy::{LockKind, ModelKind};

/// `(meets)`: the service's clients meet in memory, or the test meets its service there. A model without a memory that
/// all share refuses it.
macro_rules! scenarios {
    ($lock:ident; $($module:ident: $($claim:ident $(($meets:ident))?)+;)+) => {$($(
        #[test]
        fn $claim() {
            let subject = super::subject(guardhouse::strategy::LockKind::$lock);
            let scenario = crate::$module::$claim;
            $(let scenario = crate::house::$meets(subject, scenario);)?
            crate::house::inspect(subject, scenario);
        }
    )+)+};
    ($lock:ident) => { scenarios! { $lock;
        echo:
            echoes_1_mib_in_random_chunks
            answers_everything_sent_before_a_half_close
            who_stays_long_is_answered_to_the_end_and_so_is_who_comes_next
            an_answer_that_is_lent_and_empty_is_none_and_mixes_nothing_up (meets);
        chat:
            relays_every_line_whole_once_and_in_order (meets)
            completes_the_unfinished_last_line_at_a_half_close (meets)
            answers_a_half_close_with_lines_and_close (meets)
            a_reset_in_mid_line_relays_nothing_of_it (meets)
            refuses_an_over_long_line_and_relays_nothing_of_it (meets)
            tells_the_writer_of_an_endless_line_why_it_is_closed (meets);
        rooms:
            a_name_is_one_clients_and_free_when_it_has_left (meets)
            of_many_that_claim_a_name_at_once_one_gets_it (meets)
            a_room_hears_itself_alone (meets)
            who_quits_gets_its_last_line_and_a_close (meets)
            a_drain_of_those_who_are_announced_ends (meets);
        fanouts:
            relay_every_line_whole_once_and_in_order (meets);
        hostile:
            an_echo_client_that_never_reads_costs_nobody_anything
            a_chat_client_that_never_reads_its_own_lines_loses_none (meets)
            a_listener_that_never_reads_is_hung_up_and_the_others_get_every_line (meets);
        panics:
            a_panic_in_a_session_costs_its_client_only
            a_panic_while_opening_a_session_costs_its_client_only (meets)
            a_panic_at_the_end_of_input_costs_its_client_only
            a_panic_in_a_drop_costs_its_client_only;
        limits:
            closes_the_silent_and_keeps_the_talkative
            closes_a_client_that_takes_nothing_of_its_answer
            refuses_one_client_too_many_and_takes_the_next_after_one_left;
        drain:
            closes_idle_clients_at_once
            answers_what_was_sent_before_the_drain (meets)
            answers_what_the_clients_own_kernel_still_held_at_the_drain
            an_answer_on_its_way_survives_what_the_client_says_after_the_drain (meets)
            cuts_off_after_the_drain_who_never_reads
            cuts_everybody_off_by_force
            listens_no_more_after_it_ended;
    } };
}

macro_rules! suite {
    ($($(#[$here:meta])* $module:ident: $model:ident { $($options:tt)* } $($none:ident)?),+ $(,)?) => {
        $($(#[$here])* mod $module {
            #[allow(unused_imports)] // Not every line has options, nor options with a kind of their own.
            use guardhouse::{executor::Executor, model::{Accept, Deal}};

            pub(crate) fn subject(lock: guardhouse::strategy::LockKind) -> crate::house::Subject {
                crate::house::Subject {
                    model: guardhouse::strategy::ModelKind::$model,
                    options: guardhouse::strategy::ModelOptions {
                        $($options)*
                        ..crate::house::options()
                    },
                    lock,
                    fanout: guardhouse::Fanout::default(),
                }
            }

            mod mutex { scenarios! { Mutex } }
            mod fair_mutex { scenarios! { FairMutex } }
            mod rwlock { scenarios! { RwLock } }
            mod std_mutex { scenarios! { StdMutex } }
            mod std_rwlock { scenarios! { StdRwLock } }
            mod semaphore { scenarios! { Semaphore } }
            mod ticket { scenarios! { Ticket } }
            mod spin { scenarios! { Spin } }
            mod snapshot { scenarios! { Snapshot } }
            mod sharded { scenarios! { Sharded } }
            mod actor { scenarios! { Actor } }
            $(mod $none { scenarios! { None } })?
        })+

        /// Each line of the suite, and whether it runs without a lock, too.
        fn lines() -> Vec<(house::Subject, bool)> {
            Vec::from([$(
                $(#[$here])*
                (
                    $module::subject(LockKind::None),
                    false $(|| stringify!($none) == "none")?,
                ),
            )+])
        }
    };
}

suite! {
    iterative: Iterative {} none,
    process: Process {} none,
    prefork: Prefork { workers: std::num::NonZeroUsize::new(8).unwrap(), } none,
    thread: Thread {},
    pool: Pool {},
    pool_accept_mutex: Pool { accept: Accept::Mutex, },
    pool_accept_free: Pool { accept: Accept::Free, },
    pool_accept_reuseport: Pool { accept: Accept::ReusePort, },
    pool_stealing: Pool { executor: Executor::Stealing, },
    pool_rayon: Pool { executor: Executor::Rayon, },
    #[cfg(target_os = "linux")]
    leader_followers: LeaderFollowers {},
    #[cfg(target_os = "linux")]
    hybrid: Hybrid {},
    #[cfg(target_os = "linux")]
    hybrid_stealing: Hybrid { executor: Executor::Stealing, },
    #[cfg(target_os = "linux")]
    hybrid_rayon: Hybrid { executor: Executor::Rayon, },
    select: Select {} none,
    poll: Poll {} none,
    #[cfg(target_os = "linux")]
    epoll: Epoll {} none,
    #[cfg(target_os = "linux")]
    epoll_loops: Epoll { loops: crate::house::LOOPS, },
    #[cfg(target_os = "linux")]
    epoll_loops_reuseport: Epoll { loops: crate::house::LOOPS, deal: Deal::ReusePort, },
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    kqueue: Kqueue {} none,
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    kqueue_loops: Kqueue { loops: crate::house::LOOPS, },
    #[cfg(target_os = "linux")]
    uring: Uring {} none,
    #[cfg(target_os = "linux")]
    uring_loops: Uring { loops: crate::house::LOOPS, },
    #[cfg(target_os = "linux")]
    uring_loops_reuseport: Uring { loops: crate::house::LOOPS, deal: Deal::ReusePort, },
}

/// What the processes of `process` and `prefork` run: an echo, for the server that started them. Where no server did, it
/// starts one.
#[test]
fn a_process_that_a_server_starts_serves_its_client() {
    if !house::is_a_child_now() {
        house::inspect(
            process::subject(LockKind::Mutex),
            echo::answers_everything_sent_before_a_half_close,
        );
    }
}

#[test]
fn no_model_and_no_strategy_is_left_out() {
    for model in ModelKind::ALL.into_iter().filter(|model| model.is_here()) {
        assert!(
            lines().iter().any(|(subject, _)| subject.model == model),
            "{model} is not in suite!"
        );
    }
    for (subject, without_a_lock) in lines() {
        let goes = LockKind::None.goes_with(subject.model, &subject.options);
        assert_eq!(goes, without_a_lock, "{subject:?}");
    }
    assert_eq!(
        LockKind::ALL.map(LockKind::name),
        [
            "mutex",
            "fair-mutex",
            "rwlock",
            "std-mutex",
            "std-rwlock",
            "semaphore",
            "ticket",
            "spin",
            "snapshot",
            "sharded",
            "actor",
            "none"
        ],
        "each is a module in suite!"
    );
}
