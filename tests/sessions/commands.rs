//! What a chat does about lines that begin with a slash, byte by byte and without a socket.

use super::{Guest, alone, service};
use guardhouse::Service;
use guardhouse::registry::MAX_CHARACTERS;
use guardhouse::strategy::{LockKind, ServiceKind};
use proptest::prelude::*;

fn chat() -> Box<dyn Service> {
    within(200)
}

fn within(max_line: usize) -> Box<dyn Service> {
    service(ServiceKind::chat(max_line), LockKind::Mutex)
}

fn guests(chat: &dyn Service, ids: impl IntoIterator<Item = u64>) -> Vec<Guest> {
    ids.into_iter().map(|id| Guest::open(chat, id)).collect()
}

/// What it saw since it was last asked.
fn news(guest: &Guest) -> String {
    let seen = std::mem::take(&mut *guest.screen.0.lock());
    String::from_utf8(seen).unwrap()
}

/// A room with ann, bob and a guest, who have nothing left to read.
fn room(chat: &dyn Service) -> [Guest; 3] {
    let mut all = guests(chat, 1..=3);
    all[0].receive(b"/name ann\n");
    all[1].receive(b"/name bob\n");
    for guest in &all {
        news(guest);
    }
    all.try_into().ok().unwrap()
}

#[test]
fn whoever_says_no_slash_hears_lines_and_nothing_else() {
    let chat = chat();
    let mut all = guests(&*chat, 1..=3);
    all[0].receive(b"one\n x /who\nhttp://y\n");
    all[1].end();
    all[2].receive(b"two\n");
    assert_eq!(news(&all[0]), "one\n x /who\nhttp://y\ntwo\n");
    assert_eq!(news(&all[1]), "one\n x /who\nhttp://y\n");
}

#[test]
fn a_name_is_told_to_its_client_and_to_the_others_of_the_room() {
    let chat = chat();
    let mut all = guests(&*chat, 1..=3);
    all[2].receive(b"/join den\n");
    all[0].receive(b"/name ann\n");
    assert_eq!(news(&all[0]), "-- you are now ann\n");
    assert_eq!(news(&all[1]), "* guest-1 is now ann\n");
    all[0].receive(b"/name anna\n/name anna\n");
    assert_eq!(news(&all[0]), "-- you are now anna\n-- you are now anna\n");
    assert_eq!(news(&all[1]), "* ann is now anna\n");
    assert_eq!(news(&all[2]), "-- you are in den (1)\n");
}

#[test]
fn a_name_that_is_taken_or_none_is_refused_to_its_client_alone() {
    let chat = chat();
    let [ann, mut bob, guest] = room(&*chat);
    bob.receive(b"/name ann\n");
    assert_eq!(news(&bob), "error: the name ann is taken; choose another\n");
    bob.receive(b"/name a\x1bb\n");
    assert_eq!(
        news(&bob),
        "error: a name cannot be \"a\\u{1b}b\": \\u{1b} is a control character\n"
    );
    let longest = "x".repeat(MAX_CHARACTERS + 1);
    bob.receive(format!("/name {longest}\n/name guest-3\n/name\n").as_bytes());
    let said = news(&bob);
    assert_eq!(said.lines().count(), 3, "{said}");
    assert!(
        said.lines().all(|line| line.starts_with("error: ")),
        "{said}"
    );
    assert!(said.contains("33 characters; the limit is 32"), "{said}");
    bob.receive(b"/who\n");
    assert_eq!(news(&bob), "-- in lobby: ann, bob, guest-3 (3)\n");
    assert_eq!((news(&ann), news(&guest)), (String::new(), String::new()));
}

#[test]
fn a_name_is_free_when_its_client_leaves_in_whichever_way() {
    let ways: [fn(&mut Guest); 4] = [
        |guest| guest.receive(b"/quit\n"),
        |guest| guest.end(),
        |guest| guest.session = None,
        |guest| guest.receive(&[b'x'; 201]),
    ];
    for leave in ways {
        let chat = chat();
        let [mut ann, mut bob, guest] = room(&*chat);
        leave(&mut ann);
        assert_eq!(news(&guest), "* ann has left\n");
        assert_eq!(news(&bob), "* ann has left\n");
        bob.receive(b"/name ann\n");
        assert_eq!(news(&bob), "-- you are now ann\n");
    }
}

#[test]
fn rooms_do_not_hear_each_other() {
    let chat = chat();
    let [mut ann, mut bob, mut guest] = room(&*chat);
    ann.receive(b"/join den\nalone\n");
    assert_eq!(news(&ann), "-- you are in den (1)\nalone\n");
    assert_eq!(
        (news(&bob), news(&guest)),
        ("* ann has left\n".into(), "* ann has left\n".into())
    );
    guest.receive(b"/join den\nboth\n");
    assert_eq!(news(&guest), "-- you are in den (2)\nboth\n");
    assert_eq!(news(&ann), "both\n", "who has no name comes unannounced");
    bob.receive(b"/join den\n/rooms\n/join lobby\n/join lobby\n/rooms\n");
    assert_eq!(
        news(&bob),
        "-- you are in den (3)\n-- den (3)\n-- you are in lobby (1)\n-- you are in lobby (1)\n-- den (2)\n-- lobby (1)\n"
    );
    assert_eq!(news(&guest), "* bob has come\n* bob has left\n");
    bob.receive(b"/name ann\n/join a b\n");
    assert_eq!(
        news(&bob),
        "error: the name ann is taken; choose another\n\
         error: the name of a room cannot be \"a b\": \\u{20} is white space\n",
        "names are unique across the rooms"
    );
}

#[test]
fn me_is_said_to_everybody_under_the_name_that_its_client_has() {
    let chat = chat();
    let [mut ann, mut bob, mut guest] = room(&*chat);
    ann.receive(b"/me waves  twice\r\n");
    guest.receive(b"/me waves back\n");
    bob.receive(b"/me\n");
    let both = "* ann waves  twice\n* guest-3 waves back\n";
    assert_eq!(news(&ann), both);
    assert_eq!(
        news(&bob),
        [both, "error: /me needs something after it: /me TEXT\n"].concat()
    );
    // "* ann " is longer than "/me " by two bytes.
    let text = "x".repeat(194);
    ann.receive(format!("/me {text}\n").as_bytes());
    assert_eq!(news(&guest), format!("{both}* ann {text}\n"));
    news(&ann);
    ann.receive(format!("/me {text}x\n").as_bytes());
    assert_eq!(
        news(&ann),
        "error: with your name that line has 201 bytes; the limit is 200\n"
    );
    assert_eq!(news(&guest), "");
}

#[test]
fn after_a_quit_nothing_of_its_client_is_heard() {
    let chat = chat();
    let [mut ann, bob, _guest] = room(&*chat);
    ann.receive(b"last words\n/quit\nnot these\n/name x\n");
    assert!(ann.session.is_none());
    assert_eq!(news(&ann), "last words\n");
    assert_eq!(news(&bob), "last words\n* ann has left\n");
}

#[test]
fn two_slashes_say_one_and_travel_with_their_neighbours() {
    let chat = chat();
    let mut all = guests(&*chat, 1..=2);
    all[0].receive(b"a\n//who\n///\nb\n//\n");
    for guest in &all {
        assert_eq!(news(guest), "a\n/who\n//\nb\n/\n");
    }
}

#[test]
fn an_answer_comes_where_its_question_stood() {
    let chat = chat();
    let [mut ann, bob, _guest] = room(&*chat);
    ann.receive(b"a\n/who\nb\n/foo\n/me c\n/join den\nd\n/rooms\n");
    assert_eq!(
        news(&ann),
        "a\n-- in lobby: ann, bob, guest-3 (3)\nb\n\
         error: no command /foo; /help lists them; a line that is to begin with a slash is written //foo\n\
         * ann c\n-- you are in den (1)\nd\n-- den (1)\n-- lobby (2)\n"
    );
    assert_eq!(news(&bob), "a\nb\n* ann c\n* ann has left\n");
}

#[test]
fn a_command_is_one_wherever_it_is_cut_and_when_its_end_is_missing() {
    let text = b"a\n//b\n/name ann\n/who\nc\n/rooms";
    let expected = "a\n/b\n-- you are now ann\n-- in lobby: ann (1)\nc\n-- lobby (1)\n";
    for cut in 0..=text.len() {
        let chat = chat();
        let mut guest = Guest::open(&*chat, 1);
        guest.receive(&text[..cut]);
        guest.receive(&text[cut..]);
        guest.end();
        assert_eq!(news(&guest), expected, "cut at {cut}");
    }
}

#[test]
fn help_names_every_command() {
    let chat = chat();
    let mut guest = Guest::open(&*chat, 1);
    guest.receive(b"/help\r\n/quit now\n");
    let said = news(&guest);
    for command in [
        "/name ", "/who ", "/rooms ", "/join ", "/me ", "/quit ", "/help ", "//",
    ] {
        let line = format!("-- {command}");
        assert!(
            said.lines().any(|l| l.starts_with(&line)),
            "{command}: {said}"
        );
    }
    assert!(
        said.ends_with("error: /quit takes nothing after it, and was given \"now\"\n"),
        "{said}"
    );
}

#[test]
fn a_list_keeps_within_the_limit_of_a_line() {
    let chat = within(40);
    let mut all = guests(&*chat, 1..=30);
    all[0].receive(b"/who\n");
    let said = news(&all[0]);
    let mut found = 0;
    for line in said.lines() {
        assert!(line.len() <= 40, "{line}");
        assert!(line.starts_with("-- in lobby: "), "{line}");
        found += line.matches("guest-").count();
    }
    assert_eq!(found, 30, "{said}");
    assert!(said.ends_with(" (30)\n"), "{said}");
}

#[test]
fn many_small_questions_at_once_have_no_endless_answers() {
    let chat = chat();
    let mut all = guests(&*chat, 1..=200);
    all[0].receive("/who\n".repeat(1000).as_bytes());
    let said = news(&all[0]);
    assert!(said.len() < 200_000, "{}", said.len());
    assert!(said.contains("error: too much asked at once"));
    all[0].receive(b"/who\n");
    assert!(
        news(&all[0]).ends_with("(200)\n"),
        "the next time it is answered"
    );
}

/// Lines of all kinds, and the beginnings of some.
fn lines() -> impl Strategy<Value = String> {
    let line = proptest::sample::select(vec![
        "a\n",
        "\n",
        "//b\n",
        "//\n",
        "/who\n",
        "/name ann\r\n",
        "/name bob\n",
        "/name ann\n",
        "/join den\n",
        "/join lobby\n",
        "/me c\n",
        "/rooms\n",
        "/help\n",
        "/\n",
        "/foo bar\n",
        "/name\n",
        "/quit\n",
        "/wh",
        "d/",
        "/",
    ]);
    proptest::collection::vec(line, 0..15).prop_map(|lines| lines.concat())
}

proptest! {
    #[test]
    fn commands_and_lines_are_the_same_however_they_are_cut(text in lines(), piece in 1_usize..20) {
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(piece).collect();
        prop_assert_eq!(alone(&*chat(), &pieces), alone(&*chat(), &[text.as_bytes()]));
    }
}
