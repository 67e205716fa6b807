//! What no server of processes can be, and the sentences that say so.

use crate::child::{Program, guardhouse, serve};
use crate::family::{MODELS, THREE};
use guardhouse::model::{self, Prefork, Process};
use guardhouse::service::{Echo, Registered};
use guardhouse::sync::Timed;
use guardhouse::{Clients, Registry, Server, StartError};

#[test]
fn chat_is_refused_with_a_sentence() {
    for model in MODELS {
        let ended = Program::start(guardhouse(&serve(&format!("chat --model {model}")))).ended();
        assert_eq!(
            (ended.code, &*ended.out),
            (Some(2), ""),
            "{model}: {}",
            ended.err
        );
        let name = model.split(' ').next().unwrap();
        for word in [&*format!("--model {name} "), "chat", "share no memory"] {
            assert!(ended.err.contains(word), "no {word:?} in {}", ended.err);
        }
    }
}

#[test]
fn a_watched_lock_is_refused_with_a_sentence() {
    for model in MODELS {
        let args = format!("echo --stats 1s --model {model}");
        let ended = Program::start(guardhouse(&serve(&args))).ended();
        assert_eq!(ended.code, Some(2), "{}", ended.err);
        assert!(ended.err.contains("--stats"), "{}", ended.err);
    }
    let lock = Timed::around(parking_lot::Mutex::new(Clients::new()));
    let service = Registered::new(Registry::new(lock), Echo);
    let refused = Server::new(service).model(Process::new()).start();
    assert!(matches!(refused, Err(StartError::Options(_))));
}

#[test]
fn a_model_that_was_not_told_what_to_run_says_so() {
    for (refused, name) in [
        (Server::new(Echo).model(Process::new()).start(), "process"),
        (
            Server::new(Echo).model(Prefork::new(THREE)).start(),
            "prefork",
        ),
    ] {
        let sentence = refused.unwrap_err().to_string();
        for word in [&*format!("--model {name} "), "Program", "serve_as_child"] {
            assert!(sentence.contains(word), "no {word:?} in {sentence}");
        }
    }
    let nowhere = model::Program::new("/no/such/program");
    let refused = Server::new(Echo)
        .model(Process::new().program(nowhere))
        .start();
    let sentence = refused.unwrap_err().to_string();
    assert!(sentence.contains("/no/such/program"), "{sentence}");
}

#[test]
fn a_child_that_nobody_started_says_so() {
    let ended = Program::start(guardhouse(&["serve", "echo", "--as-child"])).ended();
    assert_eq!((ended.code, &*ended.out), (Some(1), ""));
    assert!(ended.err.contains("standard input"), "{}", ended.err);
}
