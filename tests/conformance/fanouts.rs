//! Every way from one who says something to all who hear it. What the suite runs, it runs by the default one, the log; here
//! are the others:
//!
//! * each under every model and behind every lock: that it relays every line whole, once and in order;
//! * each under every model: whatever else holds for a chat;
//! * each behind every lock, under one model of each kind: that a listener who never reads costs the others nothing.
//!
//! What does not go together has its refusal tested instead: in a library that is the waiting of a reactor, here; for the
//! flags see `tests/cli/fanouts.rs`.

use crate::house::{Subject, inspect};
use crate::{chat, hostile};
use guardhouse::strategy::{LockKind, ModelKind, ServiceKind};
use guardhouse::{Fanout, Limits, Slow, StartError};

/// The fan-outs that go with a subject's model, but for the one that the suite runs.
fn others(subject: Subject) -> impl Iterator<Item = Subject> {
    let fanouts = Fanout::ALL.into_iter();
    fanouts
        .filter(move |&fanout| fanout != Fanout::default() && fanout.goes_with(subject.model))
        .map(move |fanout| subject.with_fanout(fanout))
}

pub(crate) fn relay_every_line_whole_once_and_in_order(subject: Subject) {
    for subject in others(subject) {
        // Shown if it fails.
        println!("by {}", subject.fanout);
        chat::relays_every_line_whole_once_and_in_order(subject);
    }
}

/// Under every model that it goes with.
fn under_every_model(fanout: Fanout, scenario: fn(Subject)) {
    for (subject, _) in crate::lines() {
        let goes = subject.model.shares_memory() && fanout.goes_with(subject.model);
        if goes {
            under(subject.with_fanout(fanout), scenario);
        }
    }
}

fn under(subject: Subject, scenario: fn(Subject)) {
    // Shown if it fails.
    println!("under {subject:?}");
    let lock = match subject.lock {
        LockKind::None => LockKind::Mutex,
        lock => lock,
    };
    inspect(Subject { lock, ..subject }, scenario);
}

/// Behind every lock that lets several threads in, under one model of each kind.
#[cfg(target_os = "linux")]
fn behind_every_lock(fanout: Fanout, scenario: fn(Subject)) {
    for lock in LockKind::ALL {
        if lock != LockKind::None {
            for subject in [
                crate::thread::subject(lock),
                crate::epoll::subject(lock),
                crate::uring::subject(lock),
                crate::hybrid::subject(lock),
            ] {
                under(subject.with_fanout(fanout), scenario);
            }
        }
    }
}

macro_rules! under_every_model {
    ($fanout:ident: $($module:ident::$claim:ident)+) => {$(
        #[test]
        fn $claim() {
            super::under_every_model(guardhouse::Fanout::$fanout, crate::$module::$claim);
        }
    )+};
    ($fanout:ident) => { under_every_model! { $fanout:
        chat::completes_the_unfinished_last_line_at_a_half_close
        chat::answers_a_half_close_with_lines_and_close
        chat::a_reset_in_mid_line_relays_nothing_of_it
        chat::refuses_an_over_long_line_and_relays_nothing_of_it
        chat::tells_the_writer_of_an_endless_line_why_it_is_closed
        hostile::a_chat_client_that_never_reads_its_own_lines_loses_none
    } };
}

macro_rules! where_nobody_waits_for_a_client {
    ($fanout:ident) => {
        #[test]
        fn a_listener_that_never_reads_is_hung_up_under_every_model() {
            let scenario =
                hostile::a_listener_that_never_reads_is_hung_up_and_the_others_get_every_line;
            super::under_every_model(Fanout::$fanout, scenario);
        }

        #[cfg(target_os = "linux")]
        #[test]
        fn a_listener_that_never_reads_is_hung_up_behind_every_lock() {
            let scenario =
                hostile::a_listener_that_never_reads_is_hung_up_and_the_others_get_every_line;
            super::behind_every_lock(Fanout::$fanout, scenario);
        }
    };
}

mod under_lock {
    under_every_model! { UnderLock }
}

mod snapshot {
    use super::{Fanout, hostile};
    under_every_model! { Snapshot }
    where_nobody_waits_for_a_client! { Snapshot }
}

mod queue {
    use super::{Fanout, hostile};
    under_every_model! { Queue }
    where_nobody_waits_for_a_client! { Queue }
}

mod sharded {
    use super::{Fanout, hostile};
    under_every_model! { Sharded }
    where_nobody_waits_for_a_client! { Sharded }
}

#[cfg(target_os = "linux")]
mod log {
    use super::{Fanout, hostile};

    #[test]
    fn a_listener_that_never_reads_is_hung_up_behind_every_lock() {
        let scenario =
            hostile::a_listener_that_never_reads_is_hung_up_and_the_others_get_every_line;
        super::behind_every_lock(Fanout::Log, scenario);
    }
}

#[test]
fn a_model_that_serves_many_on_one_thread_refuses_to_have_them_wait_for_a_reader() {
    let limits = Limits {
        slow: Slow::Block,
        ..Limits::default()
    };
    for (subject, _) in crate::lines() {
        let started = subject.chat_within(limits, 4096).start();
        if subject.model.waits_for_clients() && subject.model.shares_memory() {
            started.unwrap().shutdown().unwrap();
            continue;
        }
        let refused = started.unwrap_err();
        let sentence = refused.to_string();
        assert!(matches!(refused, StartError::Options(_)), "{sentence}");
        assert!(sentence.contains(subject.model.name()), "{sentence}");
        if subject.model.shares_memory() {
            assert!(
                sentence.starts_with("slow is block: whoever talks would wait"),
                "{sentence}"
            );
        }
    }
}

#[test]
fn what_goes_together_is_what_the_tables_say() {
    for model in ModelKind::ALL {
        for fanout in Fanout::ALL {
            let waits = fanout == Fanout::UnderLock;
            let goes = !waits || model.waits_for_clients();
            assert_eq!(fanout.goes_with(model), goes, "{fanout} under {model}");
        }
    }
    assert_eq!(Fanout::UnderLock.policies(), [Slow::Block]);
    assert_eq!(Fanout::Log.policies(), [Slow::Disconnect, Slow::DropOldest]);
    for fanout in [Fanout::Snapshot, Fanout::Queue, Fanout::Sharded] {
        assert_eq!(fanout.policies(), Slow::ALL, "{fanout}");
    }
    let ServiceKind::Chat { fanout, .. } = ServiceKind::chat(1) else {
        panic!("a chat is a chat");
    };
    assert_eq!(fanout, Fanout::Log, "which the suite runs");
}
