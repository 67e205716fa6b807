//! What cannot hold together is refused before anything is sent or joined: exit code 2, and a sentence that names the flag, its
//! value and what to do. What fails is exit code 1, with its reason.

use crate::child::{Program, guardhouse};
use crate::stage::{NewsFile, Port, on_loopback, sent, well};

fn refused(ended: &crate::child::Ended, code: i32, args: &str, words: &[&str]) {
    let outcome = (ended.code, &*ended.out);
    assert_eq!(outcome, (Some(code), ""), "{args}: {}", ended.err);
    let told = ended.err.lines().find(|line| line.starts_with("error: "));
    let told = told.unwrap_or_else(|| panic!("{args}: no error in {}", ended.err));
    for word in words {
        assert!(told.contains(word), "{args}: no {word:?} in {told}");
    }
}

/// With the loopback interface.
fn wrong(args: &str, words: &[&str]) {
    refused(&on_loopback(args).ended(), 2, args, words);
}

/// With no interface but what is in `args`, which is not there.
fn wrong_alone(args: &str, words: &[&str]) {
    let all: Vec<&str> = ["news"].into_iter().chain(args.split(' ')).collect();
    refused(&Program::start(guardhouse(&all)).ended(), 2, args, words);
}

#[test]
fn a_group_is_a_multicast_address_with_a_port() {
    for command in ["send", "receive"] {
        for (group, why) in [
            ("10.0.0.1:7777", "10.0.0.1 is no multicast address"),
            ("127.255.255.255:7777", "by broadcast"),
            ("224.1.1.2", "a port, like 224.1.1.2:7777"),
            ("224.1.1.2:0", "port is 1 to 65535"),
            ("news", "like 224.1.1.2:7777 or [ff15::7777]:7777"),
        ] {
            wrong(
                &format!("{command} --group {group}"),
                &["--group", group, why],
            );
        }
    }
}

#[test]
fn a_broadcast_goes_to_an_address_that_a_network_here_has() {
    for command in ["send", "receive"] {
        let known = ["--broadcast 203.0.113.255:7777", "127.255.255.255"];
        wrong(&format!("{command} {}", known[0]), &known);
        let both = format!("{command} --group 224.1.1.2:7777 --broadcast 127.255.255.255:7777");
        wrong(&both, &["--group", "--broadcast", "cannot be used with"]);
    }
    for (args, what) in [
        ("--ttl 0", "TTL of 1 or more"),
        ("--loop off", "only a group's"),
    ] {
        let all = format!("send --broadcast 127.255.255.255:7777 {args}");
        wrong(&all, &[args, "--broadcast 127.255.255.255:7777", what]);
    }
}

#[test]
fn an_interface_is_one_that_is_here() {
    for command in ["send", "receive"] {
        for interface in ["nosuch", "99999", "203.0.113.7"] {
            let args = format!("{command} --interface {interface}");
            let flag = format!("--interface {interface}");
            wrong_alone(&args, &[&flag, "there are: ", "lo"]);
        }
        let args = format!("{command} --group [ff02::7]:7777");
        wrong_alone(&args, &["--group [ff02::7]:7777", "--interface"]);
        let args = format!("{command} --group [ff15::7%99]:7777");
        wrong(
            &args,
            &["--group [ff15::7%99]:7777", "--interface 127.0.0.1"],
        );
    }
}

#[test]
fn somebody_has_to_be_able_to_hear_it() {
    wrong(
        "send --ttl 0 --loop off",
        &["--ttl 0", "--loop off", "nobody", "TTL of 1 or more"],
    );
}

#[test]
fn a_source_is_a_host_that_sends_to_the_group() {
    for (audience, source, why) in [
        (
            "--broadcast 127.255.255.255:7777",
            "127.0.0.1",
            "only a group",
        ),
        ("--group 232.1.1.2:7777", "fd77::1", "the other family"),
        ("--group 232.1.1.2:7777", "224.1.1.1", "one host"),
    ] {
        let flag = format!("--source {source}");
        wrong(&format!("receive {audience} {flag}"), &[&flag, why]);
    }
    wrong(
        "receive --group 232.1.1.2:7777",
        &["--group 232.1.1.2:7777", "--source"],
    );
}

#[test]
fn stdin_is_read_once() {
    for flag in ["--follow", "--repeat"] {
        wrong(
            &format!("send {flag} -"),
            &[flag, "- is stdin", "name a file"],
        );
    }
    let file = NewsFile::of("one\n");
    wrong(
        &format!("send --follow --repeat {file}"),
        &["--follow", "--repeat"],
    );
}

#[test]
fn how_often_is_said_once_and_within_limits() {
    wrong("send --rate 5/s --interval 1s", &["--rate", "--interval"]);
    for (flag, value, limit) in [
        ("--rate", "0/s", "0.001/s to 10000000/s"),
        ("--count", "0", "at least 1"),
        ("--ttl", "256", "0..=255"),
    ] {
        wrong(&format!("send {flag} {value}"), &[flag, value, limit]);
    }
}

#[test]
fn a_time_is_at_most_a_year() {
    for (command, flag) in [
        ("send", "--interval"),
        ("receive", "--timeout"),
        ("doctor", "--listen"),
    ] {
        for value in ["584000000000y", "8767h"] {
            let args = format!("{command} {flag} {value}");
            wrong(&args, &[flag, value, "at most 1y"]);
        }
    }
    let file = NewsFile::of("one\n");
    let group = Port::free().group();
    well(sent(&format!("{group} --interval 1y"), &file));
}

#[test]
fn a_datagram_has_room_for_a_line() {
    for (args, limit) in [
        ("--max-datagram 0", "1 to 65507"),
        ("--max-datagram 65508", "1 to 65507"),
        ("--max-datagram 32 --sequence", "more than 32"),
    ] {
        let flag = args.trim_end_matches(" --sequence");
        wrong(&format!("send {args}"), &[flag, limit]);
    }
    for size in ["0 B", "3.0 GiB"] {
        let args = format!("receive --buffer {}", size.replace(' ', ""));
        wrong(&args, &[&format!("--buffer {size}"), "2147483647 B"]);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_a_failure() {
    let empty = NewsFile::of("");
    let nosuch = format!("{empty}.nosuch");
    for (args, word) in [
        (nosuch.clone(), &*nosuch),
        (env!("CARGO_TARGET_TMPDIR").to_owned(), "directory"),
        (format!("--repeat {empty}"), "no line to repeat"),
    ] {
        refused(
            &on_loopback(&format!("send {args}")).ended(),
            1,
            &args,
            &[word],
        );
    }
}
