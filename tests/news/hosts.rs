//! News between hosts: who hears them, how far they get, and what becomes of them when a cable is pulled.

use crate::child::{Ended, Program};
use crate::common::numbered_lines;
use crate::netns::{Host, Network};
use crate::stage::{NewsFile, is_here, listening, well};
use rustix::process::Signal;

/// `news receive` on its `eth0`.
fn receiver(host: Host<'_>, args: &str) -> Program {
    host.receiver(&format!("--interface eth0 {args}"))
}

/// One line by its `eth0`.
fn say(host: Host<'_>, args: &str, line: &str) {
    host.say(&format!("--interface eth0 {args}"), line);
}

#[test]
fn a_group_is_heard_by_the_two_hosts_that_joined_and_not_by_the_third() {
    let Some(network) = Network::on_a_bridge() else {
        return;
    };
    let [one, two, three] = [1, 2, 3].map(|number| network.host(number));
    let joined = [one, two].map(|host| receiver(host, "--group 224.1.1.2:7777 --count 2"));
    let elsewhere = receiver(three, "--group 224.1.1.3:7777 --count 1");
    say(one, "--group 224.1.1.2:7777", "from one\n");
    say(three, "--group 224.1.1.2:7777", "from three\n");
    for receiver in joined {
        assert_eq!(well(receiver.ended()), "from one\nfrom three\n");
    }
    say(one, "--group 224.1.1.3:7777", "for the third\n");
    assert_eq!(well(elsewhere.ended()), "for the third\n");
}

#[test]
fn a_broadcast_is_heard_by_every_host() {
    let Some(network) = Network::on_a_bridge() else {
        return;
    };
    for to in [
        "--broadcast 255.255.255.255:7777",
        "--broadcast 10.77.0.255:7777",
    ] {
        let all =
            [1, 2, 3].map(|number| receiver(network.host(number), &format!("{to} --count 1")));
        say(network.host(1), to, "for all\n");
        for receiver in all {
            assert_eq!(well(receiver.ended()), "for all\n", "{to}");
        }
    }
}

#[test]
fn without_loop_other_hosts_hear_it_and_this_one_does_not() {
    let Some(network) = Network::on_a_bridge() else {
        return;
    };
    for group in ["--group 224.1.1.2:7777", "--group [ff15::7777]:7777"] {
        let here = receiver(network.host(1), &format!("{group} --count 1"));
        let there = receiver(network.host(2), &format!("{group} --count 2"));
        say(network.host(1), &format!("{group} --loop off"), "hush\n");
        say(network.host(1), group, "aloud\n");
        assert_eq!(well(here.ended()), "aloud\n", "{group}");
        assert_eq!(well(there.ended()), "hush\naloud\n", "{group}");
    }
}

#[test]
fn with_a_ttl_of_1_a_datagram_stops_at_the_router_and_with_2_it_crosses() {
    let Some(network) = Network::with_a_router() else {
        return;
    };
    if !is_here("python3") {
        return;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/news/mroute.py");
    let routes = [script, "10.77.0.1", "239.7.7.7", "left", "right"];
    let routing = network.router().start("python3", &routes);
    routing
        .out
        .until("that it forwards", |out| out.contains("forwarding"));
    let group = "--group 239.7.7.7:7777";
    let before = network
        .router()
        .guardhouse(&format!("news receive {group} --interface left --count 2"));
    let before = listening(before);
    let behind = receiver(network.host(2), &format!("{group} --count 1"));
    say(network.host(1), &format!("{group} --ttl 1"), "near\n");
    say(network.host(1), &format!("{group} --ttl 2"), "far\n");
    assert_eq!(well(before.ended()), "near\nfar\n");
    assert_eq!(well(behind.ended()), "far\n");
    let ended = routing.ended();
    assert_eq!((ended.code, &*ended.err), (Some(0), ""));
}

#[test]
fn groups_of_ipv6_are_heard_on_the_link_and_on_the_site() {
    let Some(network) = Network::on_a_bridge() else {
        return;
    };
    for group in ["--group [ff15::7777]:7777", "--group [ff02::7777]:7777"] {
        let joined =
            [2, 3].map(|number| receiver(network.host(number), &format!("{group} --count 1")));
        let other = receiver(network.host(3), "--group [ff15::7778]:7777 --count 1");
        say(network.host(1), group, "for six\n");
        for receiver in joined {
            assert_eq!(well(receiver.ended()), "for six\n", "{group}");
        }
        say(network.host(1), "--group [ff15::7778]:7777", "for others\n");
        assert_eq!(well(other.ended()), "for others\n", "{group}");
    }
}

#[test]
fn of_two_sources_only_those_that_were_asked_for_are_heard() {
    let Some(network) = Network::on_a_bridge() else {
        return;
    };
    for (group, sources) in [
        (
            "--group 232.7.7.7:7777",
            ["10.77.0.1", "10.77.0.2", "10.77.0.1,10.77.0.2"],
        ),
        (
            "--group [ff35::7777]:7777",
            ["fd77::1", "fd77::2", "fd77::1,fd77::2"],
        ),
    ] {
        let hears = |sources: &str, count| {
            let args = format!("{group} --source {sources} --count {count}");
            receiver(network.host(3), &args)
        };
        let [first, second, both] =
            [(0, 1), (1, 1), (2, 2)].map(|(at, count)| hears(sources[at], count));
        say(network.host(2), group, "from the second\n");
        say(network.host(1), group, "from the first\n");
        assert_eq!(well(first.ended()), "from the first\n", "{group}");
        assert_eq!(well(second.ended()), "from the second\n", "{group}");
        let all = "from the second\nfrom the first\n";
        assert_eq!(well(both.ended()), all, "{group}");
    }
}

#[test]
fn a_cut_link_shows_up_as_a_loss_and_the_receiver_goes_on() {
    /// At 50 in a second, two seconds.
    const WHILE_CUT: usize = 100;
    let Some(network) = Network::on_a_bridge() else {
        return;
    };
    let lines = numbered_lines("", 5000);
    let file = NewsFile::of(&lines);
    let group = "--group 224.1.1.2:7777";
    let [cut, whole] = [2, 3].map(|number| receiver(network.host(number), group));
    let sender = network.host(1).guardhouse(&format!(
        "news send --interface eth0 {group} --rate 50/s --sequence {file}"
    ));
    let hears = |receiver: &Program, count: usize| {
        receiver
            .out
            .until("more lines", |out| count_of(out) >= count);
    };
    hears(&cut, 10);
    network.cut(2);
    // What the one that was cut printed, the other may have yet to print.
    let before = count_of(&whole.out.so_far()).max(count_of(&cut.out.so_far()));
    hears(&whole, before + WHILE_CUT);
    network.mend(2);
    let heard = count_of(&cut.out.so_far());
    hears(&cut, heard + 10);

    sender.signal(Signal::INT);
    let sender = sender.ended();
    assert_eq!(sender.code, Some(130), "it was not at its end");
    let sent = between(&sender.err, "sent ", " lines");
    for receiver in [&cut, &whole] {
        let last = format!("line {}\n", sent - 1);
        receiver
            .out
            .until("the last line", |out| out.ends_with(&last));
    }
    let [cut, whole] = [cut, whole].map(|receiver| {
        receiver.signal(Signal::INT);
        receiver.ended()
    });
    assert_eq!((cut.code, whole.code), (Some(0), Some(0)));
    assert!(told_lost(&whole).is_empty(), "{}", whole.err);
    let sent = lines.lines().take(sent);
    let lost = told_lost(&cut);
    assert!(lost.len() >= WHILE_CUT, "{}", cut.err);
    let sent: Vec<&str> = sent.collect();
    assert_eq!(whole.out.lines().collect::<Vec<_>>(), sent);
    let heard = (0..sent.len()).filter(|number| !lost.contains(number));
    let heard: Vec<&str> = heard.map(|number| sent[number]).collect();
    assert_eq!(cut.out.lines().collect::<Vec<_>>(), heard);
    let total = format!(" {} lost ", lost.len());
    assert!(cut.err.contains(&total), "no{total}in {}", cut.err);
}

#[test]
fn a_line_that_is_too_long_for_the_interface_is_refused_wherever_it_is() {
    let Some(network) = Network::on_a_bridge() else {
        return;
    };
    let long = "x".repeat(3000);
    let group = "--group 224.1.1.2:7777";
    let send = |text: &str, args: &str| {
        let file = NewsFile::of(text);
        let args = format!(
            "news send --interface eth0 {group} --max-datagram 9000 --rate 1000/s {args} {file}"
        );
        let ended = network.host(1).guardhouse(&args).ended();
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert_eq!(ended.err.matches("its MTU").count(), 2, "{ended:?}");
        ended.err
    };
    let hears = receiver(network.host(2), &format!("{group} --count 2"));
    let err = send(&format!("{long}\none\n{long}\ntwo\n"), "");
    assert!(err.contains(" 8 bytes, 2 refused\n"), "{err}");
    assert_eq!(well(hears.ended()), "one\ntwo\n");
    let err = send(&format!("{long}\n{long}\n"), "--repeat");
    assert!(err.contains("9000 bytes that the interface takes"), "{err}");
}

/// The number in `text` between these words.
fn between(text: &str, before: &str, after: &str) -> usize {
    let (_, rest) = text.split_once(before).unwrap();
    let (number, _) = rest.split_once(after).unwrap();
    number.parse().unwrap()
}

fn count_of(out: &str) -> usize {
    out.matches('\n').count()
}

/// The numbers in lines like `missing 3: numbers 5 to 7 of stream 00ab...`, and, of the last, `lost 1: number 9 ...`.
fn told_lost(receiver: &Ended) -> Vec<usize> {
    let told = receiver.err.lines();
    let told = told.filter_map(|line| {
        let (what, rest) = line.split_once(' ')?;
        ["missing", "lost"]
            .contains(&what)
            .then_some(rest)?
            .split_once(": number")
    });
    let mut all = Vec::new();
    for (count, which) in told {
        let which = which.trim_start_matches('s').split_whitespace();
        let numbers: Vec<usize> = which.filter_map(|word| word.parse().ok()).collect();
        let numbers = match numbers[..] {
            [one] => one..=one,
            [first, last] => first..=last,
            _ => panic!("{}", receiver.err),
        };
        assert_eq!(count.parse(), Ok(numbers.clone().count()));
        all.extend(numbers);
    }
    all
}
