//! Clients that nobody here wrote: `nc` and `socat` get the right answer from every model and strategy. Where one is
//! not installed, its test says so and ends.

use crate::child::{Program, Serving, piped};
use crate::each_once;
use std::process::{Command, Stdio};

/// Whether `tool` can be started, and mentions `word` when asked for help.
fn is_here(tool: &str, word: &str) -> bool {
    let help = Command::new(tool).arg("-h").stdin(Stdio::null()).output();
    let here = help.as_ref().is_ok_and(|help| {
        let text = [&help.stdout[..], &help.stderr].concat();
        String::from_utf8_lossy(&text).contains(word)
    });
    if !here {
        eprintln!("skipped: it takes {tool} with {word}");
    }
    here
}

/// What `tool` prints when `input` is piped into it; `args` are for an address and a port.
fn said_to(tool: &str, args: &[String], input: &str) -> String {
    let mut command = Command::new(tool);
    command.args(args);
    let mut client = Program::start(piped(command));
    client.say(input);
    let ended = client.ended();
    assert_eq!((ended.code, &*ended.err), (Some(0), ""));
    ended.out
}

fn every_server_answers(tool: &str, args: impl Fn(&str, u16) -> Vec<String>) {
    for (model, sync) in each_once() {
        for (service, answers) in [
            ("echo", [("a\nb\n", "a\nb\n"), ("a\nb", "a\nb")]),
            ("chat", [("a\nb\n", "a\nb\n"), ("a\nb", "a\nb\n")]),
        ] {
            let server = Serving::start(&format!("{service} --model {model} --sync {sync}"));
            let args = args(&server.addr.ip().to_string(), server.addr.port());
            for (input, answer) in answers {
                let said = said_to(tool, &args, input);
                assert_eq!(said, answer, "{service}, {model}, {sync}: {input:?}");
            }
            server.drained();
        }
    }
}

#[test]
fn nc_gets_the_right_answer() {
    if is_here("nc", "-N") {
        every_server_answers("nc", |host, port| {
            vec!["-N".into(), host.into(), port.to_string()]
        });
    }
}

#[test]
fn socat_gets_the_right_answer() {
    if is_here("socat", "socat") {
        every_server_answers("socat", |host, port| {
            vec!["-".into(), format!("TCP:{host}:{port}")]
        });
    }
}
