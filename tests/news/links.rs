//! A host with two links: what is for one of them neither leaves by the other nor is heard on it.

use crate::child::Program;
use crate::netns::{Host, Network};
use crate::stage::well;

fn receiver(host: Host<'_>, args: &str) -> Program {
    host.receiver(&format!("{args} --count 1"))
}

#[test]
fn a_broadcast_leaves_by_the_link_that_is_named_even_if_another_has_its_network() {
    let Some(network) = Network::with_a_router() else {
        return;
    };
    let router = network.router();
    let of_the_right = "--broadcast 10.77.1.255:7777";
    let refused = router.guardhouse(&format!("news send {of_the_right} --interface left -"));
    let refused = refused.ended();
    assert_eq!(refused.code, Some(2), "{refused:?}");
    let names = |word| refused.err.contains(word);
    assert!(names("of left") && names("10.77.0.255"), "{refused:?}");

    router.ip("addr add 10.77.1.253/24 brd + dev left");
    for to in [of_the_right, "--broadcast 255.255.255.255:7777"] {
        let at_the_right = receiver(network.host(2), &format!("{to} --interface eth0"));
        router.say(&format!("{to} --interface left"), "to the left\n");
        router.say(&format!("{to} --interface right"), "to the right\n");
        assert_eq!(well(at_the_right.ended()), "to the right\n", "{to}");
    }
}

#[test]
fn a_group_is_heard_on_the_link_where_it_was_joined_and_not_on_the_other() {
    let Some(network) = Network::with_a_router() else {
        return;
    };
    for group in ["224.1.1.2:7777", "[ff15::7777]:7777", "[ff02::7777]:7777"] {
        let group = format!("--group {group}");
        let [left, right] = ["left", "right"]
            .map(|link| receiver(network.router(), &format!("{group} --interface {link}")));
        let to_both = format!("{group} --interface eth0");
        network.host(2).say(&to_both, "from the right\n");
        network.host(1).say(&to_both, "from the left\n");
        assert_eq!(well(left.ended()), "from the left\n", "{group}");
        assert_eq!(well(right.ended()), "from the right\n", "{group}");
    }
}

#[test]
fn who_names_an_address_sends_from_it() {
    let Some(network) = Network::with_a_router() else {
        return;
    };
    let host = network.host(1);
    host.ip("addr add 10.77.0.99/24 dev eth0\naddr add fd77::99/64 dev eth0 nodad");
    for (group, own, other) in [
        ("224.1.1.2:7777", "10.77.0.99", "10.77.0.1"),
        ("[ff15::7777]:7777", "fd77::99", "fd77::1"),
    ] {
        let from_own = format!("--group {group} --interface left --source {own}");
        let heard = receiver(network.router(), &from_own);
        for (addr, line) in [(other, "from the other\n"), (own, "from its own\n")] {
            host.say(&format!("--group {group} --interface {addr}"), line);
        }
        assert_eq!(well(heard.ended()), "from its own\n", "{group}");
    }
}

#[test]
fn an_address_with_a_label_is_its_interfaces() {
    let Some(network) = Network::with_a_router() else {
        return;
    };
    let host = network.host(1);
    host.ip("addr add 10.66.0.1/24 brd + dev eth0 label eth0:vip");
    let to = "--broadcast 10.66.0.255:7777 --interface eth0";
    let heard = receiver(host, to);
    host.say(to, "to the labelled network\n");
    assert_eq!(well(heard.ended()), "to the labelled network\n");
}

#[test]
fn a_link_without_multicast_is_refused_named_or_not() {
    let Some(network) = Network::with_a_router() else {
        return;
    };
    let host = network.host(1);
    host.ip("link set eth0 multicast off");
    for args in ["", "--interface eth0"] {
        let refused = host.guardhouse(&format!("news send {args} -")).ended();
        assert_eq!(refused.code, Some(1), "{refused:?}");
        let told = "eth0 carries no multicast";
        assert!(refused.err.contains(told), "{refused:?}");
    }
}
