//! `connect chat --reconnect`, and what else is new to it in a pipe.

use crate::child::{Program, Serving, guardhouse};
use crate::desk::Desk;
use crate::sitting::Sitting;

fn piped(addr: &str, more: &[&str]) -> Program {
    let mut args = vec!["connect", "chat", addr];
    args.extend(more);
    Program::start(guardhouse(&args))
}

#[test]
fn name_room_and_what_was_typed_meanwhile_reach_the_server_that_came_back() {
    let (desk, next) = Desk::twice();
    let args = [
        "connect",
        "chat",
        &desk.addr,
        "--name",
        "ann",
        "--reconnect",
    ];
    let mut ann = Sitting::down(&args);
    let mut server = desk.client();
    assert_eq!(server.line(), "/name ann");
    ann.types("/join den\r/name bob\r");
    assert_eq!(server.line(), "/join den");
    assert_eq!(server.line(), "/name bob");
    server.send("-- you are now bob\n");
    ann.until_below("bob>");

    drop((server, desk));
    ann.until("the loss", |screen| {
        let seen = screen.contents();
        seen.contains("the server closed the connection; attempt 1 in 0.")
    });
    ann.types("while you were away\r");
    ann.until("what becomes of it", |screen| {
        screen.contents().contains("kept until the server is back")
    });
    ann.types("half a");
    ann.until("another attempt", |screen| {
        screen.contents().contains("refused (os error") && screen.contents().contains("attempt 2")
    });
    next.listen();
    let mut server = next.client();
    assert_eq!(server.line(), "/name bob");
    assert_eq!(server.line(), "/join den");
    assert_eq!(server.line(), "[bob] while you were away");
    ann.until_below("connected as bob\nbob> half a");
    ann.types(" line\r");
    assert_eq!(server.line(), "[bob] half a line");
    ann.types("Q\r");
    server.cut_off();
    drop(server);
    assert_eq!(ann.ended(), Some(0));
}

#[test]
fn who_is_refused_its_name_does_not_go_on_under_it() {
    const TAKEN: &str = "error: the name ann is taken; choose another\n";
    const TOLD: &str =
        "you are not ann here: lines go out as [guest] until the server takes a /name NAME";
    let desk = Desk::open();
    let args = [
        "connect",
        "chat",
        &desk.addr,
        "--name",
        "ann",
        "--reconnect",
    ];
    let mut ann = Sitting::down_with((100, 20), &[], &args);
    let mut server = desk.client();
    assert_eq!(server.line(), "/name ann");
    server.send("-- you are now ann\n");
    ann.until_below("-- you are now ann\nann>");

    // The server that comes back has not yet noticed that we were gone.
    drop(server);
    let mut server = desk.client();
    assert_eq!(server.line(), "/name ann");
    server.send(TAKEN);
    ann.until_below(&format!("{TAKEN}{TOLD}\nguest>"));
    ann.types("hello\r");
    assert_eq!(server.line(), "[guest] hello");

    // Another question that is refused changes nothing.
    ann.types("/name bob\r");
    assert_eq!(server.line(), "/name bob");
    server.send("error: the name bob is taken; choose another\n");
    ann.until_below("error: the name bob is taken; choose another\nguest>");

    // And over the next connection it is still not ann until the server says so.
    drop(server);
    let mut server = desk.client();
    assert_eq!(server.line(), "/name ann");
    ann.until_below("connected as guest\nguest>");
    ann.types("me again\r");
    assert_eq!(server.line(), "[guest] me again");
    server.send(TAKEN);
    ann.until_below(&format!("{TAKEN}{TOLD}\nguest>"));
    ann.types("/name anna\rQ\r");
    assert_eq!(server.line(), "/name anna");
    server.send("-- you are now anna\n");
    assert_eq!(server.rest(), "");
    drop(server);
    assert_eq!(ann.ended(), Some(0));
}

#[test]
fn a_server_that_comes_late_is_waited_for() {
    let desk = Desk::closed();
    let mut client = piped(&desk.addr, &["--reconnect"]);
    client.say("hello\n");
    client
        .err
        .until("the first failure", |err| err.contains("attempt 1 in 0."));
    desk.listen();
    let mut server = desk.client();
    assert_eq!(server.line(), "[guest] hello");
    server.send("[guest] hello\n");
    client.end_input();
    server.leave();
    let ended = client.ended();
    assert_eq!((ended.code, &*ended.out), (Some(0), "[guest] hello\n"));
}

#[test]
fn as_many_attempts_are_made_as_were_asked_for() {
    let desk = Desk::closed();
    let mut client = piped(&desk.addr, &["--reconnect=2"]);
    client.say("hello\nyou\n");
    let ended = client.ended();
    assert_eq!((ended.code, &*ended.out), (Some(1), ""));
    for words in [
        "attempt 1 of 2 in 0.",
        "attempt 2 of 2 in 0.",
        "gave up after 2 attempts",
        "2 lines were not sent",
        &desk.addr,
    ] {
        assert!(ended.err.contains(words), "{words}: {}", ended.err);
    }
}

#[test]
fn who_pipes_nothing_makes_its_attempts_too_and_fails_without_a_server() {
    let desk = Desk::closed();
    let mut client = piped(&desk.addr, &["--reconnect=2"]);
    client.end_input();
    let ended = client.ended();
    assert_eq!((ended.code, &*ended.out), (Some(1), ""));
    for words in ["attempt 2 of 2 in 0.", "gave up after 2 attempts"] {
        assert!(ended.err.contains(words), "{words}: {}", ended.err);
    }

    let desk = Desk::closed();
    let mut client = piped(&desk.addr, &["--reconnect"]);
    client.end_input();
    client
        .err
        .until("the first failure", |err| err.contains("attempt 1 in 0."));
    desk.listen();
    let mut server = desk.client();
    assert_eq!(server.rest(), "");
    drop(server);
    assert_eq!(client.ended().code, Some(0));
}

#[test]
fn who_leaves_while_there_is_no_server_is_told_what_was_not_sent() {
    let desk = Desk::closed();
    let mut guest = Sitting::down(&["connect", "chat", &desk.addr, "--reconnect"]);
    guest.until_below("guest>");
    guest.types("hello\r");
    guest.until("its fate", |screen| {
        screen.contents().contains("kept until the server is back")
    });
    guest.types("/quit\r");
    assert_eq!(guest.ended(), Some(0));
    guest.until_below("1 line was not sent");
}

#[test]
fn a_number_of_attempts_is_a_number() {
    for wrong in ["0", "some", "-1", ""] {
        let ended = piped("127.0.0.1:1", &[&format!("--reconnect={wrong}")]).ended();
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.err.contains("--reconnect"), "{}", ended.err);
    }
}

#[test]
fn what_is_no_address_is_not_tried_again() {
    // Somebody forgot the `=`.
    let ended = Program::start(guardhouse(&["connect", "chat", "--reconnect", "5"])).ended();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("cannot connect to 5"), "{}", ended.err);
}

#[test]
fn a_command_in_a_pipe_is_a_command() {
    let desk = Desk::open();
    let mut client = piped(&desk.addr, &["--name", "ann"]);
    let mut server = desk.client();
    client.say("/join den\n//tmp\nhello\n/name bob\n");
    for line in ["/join den", "[ann] /tmp", "[ann] hello", "/name bob"] {
        assert_eq!(server.line(), line);
    }
    server.send("-- you are now bob\n");
    client.out.until("the answer", |out| out.contains("bob"));
    client.say("hello\n/quit\nnever\n");
    assert_eq!(server.rest(), "[bob] hello\n");
    drop(server);
    let ended = client.ended();
    assert_eq!((ended.code, &*ended.err), (Some(0), ""));
}

#[test]
fn a_pipe_gets_every_byte_as_it_came_and_colours_only_if_they_are_asked_for() {
    const LINES: &str = "[b\x1b[1mob] hi\nerror: no\nunfinished";
    for (more, shown) in [
        (&[][..], LINES),
        (&["--color", "auto"], LINES),
        (
            &["--color", "always"],
            "\x1b[33m[b^[[1mob]\x1b[0m hi\n\x1b[31merror: no\x1b[0m\nunfinished\n",
        ),
    ] {
        let desk = Desk::open();
        let mut client = piped(&desk.addr, more);
        let mut server = desk.client();
        client.end_input();
        server.send(LINES);
        assert_eq!(server.rest(), "");
        drop(server);
        let ended = client.ended();
        assert_eq!((ended.code, &*ended.out), (Some(0), shown), "{more:?}");
    }
}

#[test]
fn a_half_line_is_passed_on_at_once_in_a_pipe() {
    let desk = Desk::open();
    let client = piped(&desk.addr, &[]);
    let mut server = desk.client();
    server.send("half");
    client.out.until("half a line", |out| out == "half");
    drop(server);
    client
        .err
        .until("its complaint", |err| err.contains("closed the connection"));
    assert_eq!(client.ended().code, Some(1));
}

#[test]
fn a_name_in_a_pipe_is_asked_for_only_by_who_pipes() {
    let server = Serving::start("chat");
    let mut ann = piped(&server.addr.to_string(), &["--name", "ann"]);
    ann.say("hello\n");
    let ended = ann.ended();
    assert_eq!((ended.code, &*ended.out), (Some(0), "[ann] hello\n"));
    server.drained();
}
