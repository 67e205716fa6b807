//! `connect chat` at a terminal.

use crate::child::Serving;
use crate::common::peer::Peer;
use crate::desk::Desk;
use crate::sitting::Sitting;
use rustix::process::Signal;
use std::net::SocketAddr;
use vt100::Color;

const UP: &str = "\x1b[A";
const LEFT: &str = "\x1b[D";
const CTRL_A: &str = "\x01";
const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";
const CTRL_R: &str = "\x12";

const GREETING: &str = "Connected as ann. Type a line to send it, Q to quit.\n";

/// What Ann sees when the room has her.
const INSIDE: &str = "Connected as ann. Type a line to send it, Q to quit.\n[ann] here\n";

/// Ann at her terminal, and the prompt is there.
fn ann(addr: &str, more: &[&str]) -> Sitting {
    let mut args = vec!["connect", "chat", addr, "--name", "ann"];
    args.extend(more);
    let mut ann = Sitting::down(&args);
    ann.until_below("ann>");
    ann
}

/// Ann has come back from the server: it knows her.
fn ann_in_room(addr: SocketAddr) -> Sitting {
    let mut ann = ann(&addr.to_string(), &["--no-register"]);
    ann.types("here\r");
    ann.until_below(&format!("{INSIDE}ann>"));
    ann
}

#[test]
fn a_half_typed_line_stays_below_what_arrives_and_is_sent_whole() {
    let server = Serving::start("chat");
    let mut ann = ann_in_room(server.addr);
    ann.types("half a");
    ann.until_below("ann> half a");
    let mut bob = Peer::greeted(server.addr, "[bob] hi");
    ann.until_below(&format!("{INSIDE}[bob] hi\nann> half a"));
    bob.round_trip("[bob] still there?");
    ann.until_below("[bob] hi\n[bob] still there?\nann> half a");
    assert_eq!(ann.cursor(), (4, 11));
    ann.types(" line\r");
    assert_eq!(bob.line(), "[ann] half a line");
    ann.until_below(&format!(
        "{INSIDE}[bob] hi\n[bob] still there?\n[ann] half a line\nann>"
    ));
    ann.types("Q\r");
    assert_eq!(ann.ended(), Some(0));
    drop(bob);
    server.drained();
}

#[test]
fn a_line_can_be_edited_anywhere() {
    let desk = Desk::open();
    let ann = ann(&desk.addr, &["--no-register"]);
    let mut server = desk.client();
    ann.types(&format!("wrld{LEFT}{LEFT}{LEFT}o{CTRL_A}hello \r"));
    assert_eq!(server.line(), "[ann] hello world");
    ann.types("e\u{301}가나\x7f\x7f\x7fx\r");
    assert_eq!(server.line(), "[ann] x");
}

#[test]
fn lines_are_recalled_and_searched() {
    let desk = Desk::open();
    let mut ann = ann(&desk.addr, &["--no-register"]);
    let mut server = desk.client();
    for line in ["first one", "second", "third one"] {
        ann.types(&format!("{line}\r"));
        assert_eq!(server.line(), format!("[ann] {line}"));
    }
    ann.types(&format!("{UP}{UP}"));
    ann.until_below("ann> second");
    ann.types(" again\r");
    assert_eq!(server.line(), "[ann] second again");
    ann.types(&format!("{CTRL_R}one{CTRL_R}"));
    ann.until_below("(search `one'): first one");
    ann.types("\r");
    assert_eq!(server.line(), "[ann] first one");
}

#[test]
fn commands_go_out_as_they_are_and_two_slashes_are_text() {
    let desk = Desk::open();
    let ann = ann(&desk.addr, &["--no-register"]);
    let mut server = desk.client();
    ann.types("/join den\r//tmp is full\r");
    assert_eq!(server.line(), "/join den");
    assert_eq!(server.line(), "[ann] /tmp is full");
}

#[test]
fn the_server_is_asked_for_the_name_that_was_given() {
    let desk = Desk::open();
    let ann = ann(&desk.addr, &[]);
    let mut server = desk.client();
    assert_eq!(server.line(), "/name ann");
    ann.types("hello\r");
    assert_eq!(server.line(), "[ann] hello");

    // Whoever gave none does not mind what the server calls him.
    let mut guest = Sitting::down(&["connect", "chat", &desk.addr]);
    guest.until_below("guest>");
    guest.types("hello\r");
    assert_eq!(desk.client().line(), "[guest] hello");
}

#[test]
fn a_new_name_is_worn_when_the_server_gives_it() {
    let desk = Desk::open();
    let mut ann = ann(&desk.addr, &["--no-register"]);
    let mut server = desk.client();
    ann.types("/name bob\r");
    assert_eq!(server.line(), "/name bob");
    server.send("error: the name bob is taken\n");
    ann.until_below("error: the name bob is taken\nann>");
    server.send("[eve] x\n-- you are now eve\n");
    ann.until_below("-- you are now eve\nann>");
    ann.types("/name carl\r");
    assert_eq!(server.line(), "/name carl");
    server.send("-- you are now carl\n");
    ann.until_below("-- you are now carl\ncarl>");
    ann.types("it is me\r");
    assert_eq!(server.line(), "[carl] it is me");
}

#[test]
fn lines_have_the_colours_of_their_kind_unless_they_are_unwanted() {
    const LINES: &str = "[bob] red\nerror: no\n* bob left\n[bob] blue\nanybody\n";
    for (variables, more, coloured) in [
        (&[][..], &[][..], true),
        (&[("NO_COLOR", "")], &[], true),
        (&[("NO_COLOR", "1")], &[], false),
        (&[("NO_COLOR", "1")], &["--color", "always"], true),
        (&[], &["--color", "never"], false),
        (&[("TERM", "dumb")], &[], false),
    ] {
        let desk = Desk::open();
        let mut args = vec!["connect", "chat", &desk.addr];
        args.extend(more);
        let mut guest = Sitting::down_with((60, 12), variables, &args);
        let mut server = desk.client();
        server.send(LINES);
        guest.until("all lines", |screen| screen.contents().contains("anybody"));
        let case = format!("{variables:?} {more:?}");
        assert_eq!(guest.colour_of("anybody"), Color::Default, "{case}");
        let names = ["[bob] red", "[bob] blue"].map(|line| guest.colour_of(line));
        assert_eq!(names[0], names[1], "{case}");
        assert_eq!(names[0] != Color::Default, coloured, "{case}");
        let red = guest.colour_of("error: no") == Color::Idx(1);
        assert_eq!(red, coloured, "{case}");
    }
}

#[test]
fn what_others_send_does_not_rule_the_screen() {
    let desk = Desk::open();
    let mut ann = ann(&desk.addr, &["--no-register"]);
    ann.types("half");
    ann.until_below("ann> half");
    let mut server = desk.client();
    server.send("[b\x1b[2Jb] a\x1b]0;title\x07\rb\u{9b}1A\x08\u{202e}c\n");
    ann.until_below(&format!(
        "{GREETING}[b^[[2Jb] a^[]0;title^G^Mb\\u{{9b}}1A^H\\u{{202e}}c\nann> half"
    ));
}

#[test]
fn a_long_line_keeps_its_rows_on_a_narrow_screen() {
    let desk = Desk::open();
    let args = ["connect", "chat", &desk.addr];
    let mut guest = Sitting::down_with((20, 8), &[], &args);
    let mut server = desk.client();
    guest.types("0123456789abcd가나다라마바사");
    guest.until_below("guest> 0123456789abc\nd가나다라마바사");
    server.send("[bob] more than one row of twenty\n");
    guest.until_below(
        "[bob] more than one \nrow of twenty\nguest> 0123456789abc\nd가나다라마바사"
            .replace(" \n", " ")
            .as_str(),
    );
    guest.resize(10, 8);
    server.send("[bob] x\n");
    guest.until_below("[bob] x\nguest> 012\n3456789abc\nd가나다라\n마바사");
    guest.types("\r");
    assert_eq!(server.line(), "[guest] 0123456789abcd가나다라마바사");
}

#[test]
fn the_client_ends_when_the_server_closes_in_the_middle_of_a_line() {
    let desk = Desk::open();
    let mut ann = ann(&desk.addr, &["--no-register"]);
    assert!(!ann.is_cooked());
    ann.types("half a li");
    ann.until_below("ann> half a li");
    drop(desk.client());
    assert_eq!(ann.ended(), Some(1));
    assert!(ann.is_cooked());
    // What was not sent can still be read, and copied.
    ann.until_below("ann> half a li\nerror: the server closed the connection");
}

#[test]
fn whoever_leaves_leaves_well() {
    for last in ["Q\r", "q\r", "/quit\r", CTRL_D] {
        let server = Serving::start("chat");
        let mut ann = ann_in_room(server.addr);
        ann.types("bye\r");
        ann.until_below("[ann] bye\nann>");
        ann.types(last);
        assert_eq!(ann.ended(), Some(0), "{last:?}");
        assert!(ann.is_cooked(), "{last:?}");
        assert_eq!(ann.seen().trim_end(), format!("{INSIDE}[ann] bye"));
        server.drained();
    }
}

#[test]
fn an_interrupt_gives_the_terminal_back() {
    let desk = Desk::open();
    for (key, signal, code) in [
        (CTRL_C, None, 130),
        ("", Some(Signal::INT), 130),
        ("", Some(Signal::TERM), 143),
        ("", Some(Signal::HUP), 129),
    ] {
        let mut ann = ann(&desk.addr, &["--no-register"]);
        ann.types("half");
        ann.until_below("ann> half");
        ann.types(key);
        if let Some(signal) = signal {
            ann.signal(signal);
        }
        assert_eq!(ann.ended(), Some(code), "{signal:?}");
        assert!(ann.is_cooked(), "{signal:?}");
        ann.until_below("ann> half");
    }
}

#[test]
fn a_server_that_says_no_goodbye_holds_nobody() {
    let desk = Desk::open();
    let mut ann = ann(&desk.addr, &["--no-register"]);
    let _silent = desk.client();
    ann.types("Q\r");
    assert_eq!(ann.ended(), Some(0));
}
