//! `--fanout` and `--slow`: what goes together serves, and what does not is refused with a sentence that says what does.

use crate::chat_models;
use crate::child::Serving;
use crate::common::peer::Peer;
use crate::wrong_use::refused;
use guardhouse::{Fanout, Slow};

#[test]
fn each_fanout_serves_with_each_of_its_policies() {
    for fanout in Fanout::ALL {
        for slow in fanout.policies() {
            let server = Serving::start(&format!("chat --fanout {fanout} --slow {slow}"));
            Peer::greeted(server.addr, "hello").leave();
            let ended = server.drained();
            assert_eq!(ended.code, Some(0), "{fanout} {slow}: {ended:?}");
            assert!(
                ended.err.contains("lost_messages=0 dropped_lines=0"),
                "{ended:?}"
            );
        }
    }
}

#[test]
fn a_fanout_that_waits_for_clients_needs_a_model_whose_threads_may_wait() {
    for model in chat_models() {
        let args = format!("chat --fanout under-lock --model {model}");
        if model.waits_for_clients() {
            let server = Serving::start(&args);
            Peer::greeted(server.addr, "hello").leave();
            assert_eq!(server.drained().code, Some(0));
        } else {
            refused(
                &args,
                &[
                    "--fanout under-lock waits for each client in turn",
                    &format!("--model {model} serves many on one thread"),
                    "it goes with --model iterative or thread or pool",
                ],
            );
        }
    }
}

#[test]
fn to_wait_for_a_slow_reader_takes_a_model_whose_threads_may_wait() {
    for model in chat_models().filter(|model| !model.waits_for_clients()) {
        refused(
            &format!("chat --fanout queue --slow block --model {model}"),
            &[
                "--slow block has whoever talks wait",
                &format!("--model {model} serves many on one thread"),
                "it goes with --model iterative or thread or pool",
            ],
        );
    }
}

#[test]
fn a_policy_that_a_fanout_has_not_is_refused_with_those_that_it_has() {
    for fanout in Fanout::ALL {
        let has = fanout.policies();
        let names: Vec<&str> = has.iter().map(|slow| slow.name()).collect();
        for slow in Slow::ALL.into_iter().filter(|slow| !has.contains(slow)) {
            let others: Vec<&str> = Fanout::ALL
                .into_iter()
                .filter(|other| other.policies().contains(&slow))
                .map(Fanout::name)
                .collect();
            let sentence = format!(
                "--slow {slow} is nothing that --fanout {fanout} can do; it has {}. --slow {slow} goes with --fanout {}",
                names.join(" and "),
                others.join(" or ")
            );
            refused(
                &format!("chat --fanout {fanout} --slow {slow}"),
                &[&sentence],
            );
        }
    }
}

#[test]
fn a_policy_that_the_default_has_not_is_refused_with_the_fanouts_that_have_it() {
    refused(
        "chat --slow drop-newest",
        &["--slow drop-newest goes with --fanout snapshot or queue or sharded"],
    );
}

#[test]
fn an_echo_has_neither() {
    for slow in Slow::ALL {
        refused(
            &format!("echo --slow {slow}"),
            &[&format!("--slow {slow} goes with serve chat only"), "echo"],
        );
    }
    refused(
        "echo --fanout log",
        &["--fanout log goes with serve chat only", "echo"],
    );
    refused("chat --fanout loud", &["'loud'", "under-lock, snapshot"]);
    refused("chat --slow down", &["'down'", "disconnect, drop-newest"]);
}
