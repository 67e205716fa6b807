//! One suite for every model under every strategy, over real sockets: whichever is chosen, clients see the
//! same server. After each scenario, no thread and no descriptor of the server is left.
//!
//! A test is called `MODEL::STRATEGY::CLAIM`. A new model is one line in [`suite!`] below, and a new scenario one
//! line in [`scenarios!`]. The strategy `none` is for models of one thread, and those say so there.

#[path = "../common/mod.rs"]
mod common;

mod chat;
mod drain;
mod echo;
mod hostile;
mod house;
mod limits;
mod panics;

use guardhouse::strategy::{LockKind, ModelKind};

macro_rules! scenarios {
    ($model:expr, $lock:expr; $($module:ident: $($claim:ident)+;)+) => {$($(
        #[test]
        fn $claim() {
            crate::house::inspect(
                crate::house::Subject { model: $model, lock: $lock },
                crate::$module::$claim,
            );
        }
    )+)+};
    ($model:expr, $lock:expr) => { scenarios! { $model, $lock;
        echo:
            echoes_1_mib_in_random_chunks
            answers_everything_sent_before_a_half_close;
        chat:
            relays_every_line_whole_once_and_in_order
            completes_the_unfinished_last_line_at_a_half_close
            answers_a_half_close_with_lines_and_close
            a_reset_in_mid_line_relays_nothing_of_it
            refuses_an_over_long_line_and_relays_nothing_of_it
            tells_the_writer_of_an_endless_line_why_it_is_closed;
        hostile:
            an_echo_client_that_never_reads_costs_nobody_anything
            a_chat_client_that_never_reads_its_own_lines_loses_none
            a_listener_that_never_reads_is_hung_up_and_the_others_get_every_line;
        panics:
            a_panic_in_a_session_costs_its_client_only
            a_panic_while_opening_a_session_costs_its_client_only
            a_panic_at_the_end_of_input_costs_its_client_only
            a_panic_in_a_drop_costs_its_client_only;
        limits:
            closes_the_silent_and_keeps_the_talkative
            closes_a_client_that_takes_nothing_of_its_answer
            refuses_one_client_too_many_and_takes_the_next_after_one_left;
        drain:
            closes_idle_clients_at_once
            answers_what_was_sent_before_the_drain
            answers_what_the_clients_own_kernel_still_held_at_the_drain
            an_answer_on_its_way_survives_what_the_client_says_after_the_drain
            cuts_off_after_the_drain_who_never_reads
            cuts_everybody_off_by_force
            listens_no_more_after_it_ended;
    } };
}

macro_rules! suite {
    (@$none:ident $model:expr) => { $model };
    ($($module:ident => $model:ident $(and $none:ident)?),+ $(,)?) => {
        $(mod $module {
            use guardhouse::strategy::{LockKind, ModelKind};
            mod mutex { scenarios! { super::ModelKind::$model, super::LockKind::Mutex } }
            mod fair_mutex { scenarios! { super::ModelKind::$model, super::LockKind::FairMutex } }
            mod rwlock { scenarios! { super::ModelKind::$model, super::LockKind::RwLock } }
            mod std_mutex { scenarios! { super::ModelKind::$model, super::LockKind::StdMutex } }
            mod std_rwlock { scenarios! { super::ModelKind::$model, super::LockKind::StdRwLock } }
            mod semaphore { scenarios! { super::ModelKind::$model, super::LockKind::Semaphore } }
            mod ticket { scenarios! { super::ModelKind::$model, super::LockKind::Ticket } }
            mod spin { scenarios! { super::ModelKind::$model, super::LockKind::Spin } }
            mod snapshot { scenarios! { super::ModelKind::$model, super::LockKind::Snapshot } }
            mod sharded { scenarios! { super::ModelKind::$model, super::LockKind::Sharded } }
            mod actor { scenarios! { super::ModelKind::$model, super::LockKind::Actor } }
            $(mod $none { scenarios! { super::ModelKind::$model, super::LockKind::None } })?
        })+
        const MODELS: &[ModelKind] = &[$(ModelKind::$model),+];
        const WITHOUT_A_LOCK: &[ModelKind] = &[$($(suite!(@$none ModelKind::$model),)?)+];
    };
}

suite! {
    iterative => Iterative and none,
    thread => Thread,
    pool => Pool,
    select => Select and none,
}

#[test]
fn no_model_and_no_strategy_is_left_out() {
    assert_eq!(MODELS, ModelKind::ALL);
    let one_thread = ModelKind::ALL
        .into_iter()
        .filter(|&model| LockKind::None.goes_with(model));
    assert!(one_thread.eq(WITHOUT_A_LOCK.iter().copied()));
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
