//! What becomes a datagram: lines of a file, of one that grows, of stdin; and what is too long for one.

use crate::stage::{NewsFile, Port, on_loopback, receiver, sent, well};
use serde_json::Value;

/// The counts that a sender's report has.
fn counts(json: &str) -> [u64; 5] {
    let report: Value = serde_json::from_str(json).unwrap();
    ["sent", "bytes", "cut", "refused", "failed"].map(|name| report[name].as_u64().unwrap())
}

#[test]
fn a_line_that_is_too_long_is_refused_and_the_others_are_sent() {
    let port = Port::free();
    let group = port.group();
    let fits = "f".repeat(1399);
    let long = "l".repeat(1400);
    let longest = "m".repeat(100_000);
    let file = NewsFile::of(format!("short\n{long}\n{fits}\n{longest}\nthe end"));
    for json in ["", "--json"] {
        let receiver = receiver(&format!("{group} --count 3"));
        let ended = sent(&format!("{group} --rate 1000/s {json}"), &file);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        for told in [
            "a line of 1401 bytes is refused",
            "a line of 100001 bytes is refused",
            "--max-datagram",
            "--truncate",
            "error: 2 lines were too long for a datagram\n",
        ] {
            assert!(ended.err.contains(told), "no {told:?} in {}", ended.err);
        }
        if json.is_empty() {
            assert!(ended.err.contains("sent 3 lines, 1413 bytes, 2 refused"));
        } else {
            assert_eq!(counts(&ended.out), [3, 1413, 0, 2, 0]);
        }
        let heard = format!("short\n{fits}\nthe end\n");
        assert_eq!(well(receiver.ended()), heard);
    }
}

#[test]
fn what_is_told_of_too_many_comes_before_what_is_told_at_the_end() {
    let group = Port::free().group();
    let file = NewsFile::of("too long\n".repeat(1000));
    let ended = sent(&format!("{group} --interval 0s --max-datagram 5"), &file);
    let at = |words: &str| ended.err.rfind(words);
    let (more, end) = (at("times more like that\n"), at("sent 0 lines, 0 bytes, "));
    assert!(more.is_some() && more < end, "{}", ended.err);
}

#[test]
fn a_line_that_may_be_cut_is_cut_between_two_characters_and_keeps_its_newline() {
    let port = Port::free();
    let group = port.group();
    // Of 3 bytes each: with the newline, 6 of them fit 20.
    let file = NewsFile::of("가나다라마바사아자차카타파하\nit rains\n");
    for limit in ["--max-datagram 20", "--max-datagram 52 --sequence"] {
        let receiver = receiver(&format!("{group} --count 2"));
        let ended = sent(
            &format!("{group} --truncate {limit} --rate 1000/s --json"),
            &file,
        );
        assert_eq!(counts(&well(ended)), [2, 28, 1, 0, 0]);
        assert_eq!(
            well(receiver.ended()),
            "가나다라마바\nit rains\n",
            "{limit}"
        );
    }
}

#[test]
fn a_line_that_is_cut_keeps_the_end_that_it_had() {
    let port = Port::free();
    let group = port.group();
    let long = "x".repeat(100_000);
    let file = NewsFile::of(format!("{long}\r\n{long}\nabcdefghi\r\n{long}"));
    let receiver = receiver(&format!("{group} --count 4"));
    let ended = sent(
        &format!("{group} --truncate --max-datagram 10 --rate 1000/s --json"),
        &file,
    );
    assert_eq!(counts(&well(ended)), [4, 40, 4, 0, 0]);
    let heard = "xxxxxxxx\r\nxxxxxxxxx\nabcdefgh\r\nxxxxxxxxxx\n";
    assert_eq!(well(receiver.ended()), heard);
}

#[test]
fn a_line_whose_first_character_does_not_fit_is_refused_and_not_cut() {
    let port = Port::free();
    let group = port.group();
    let file = NewsFile::of("가나다라\na\n");
    let receiver = receiver(&format!("{group} --count 1"));
    let ended = sent(
        &format!("{group} --truncate --max-datagram 2 --rate 1000/s --json"),
        &file,
    );
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("not even its first character fits"));
    assert_eq!(counts(&ended.out), [1, 2, 0, 1, 0]);
    assert_eq!(well(receiver.ended()), "a\n");
}

#[test]
fn a_file_is_sent_again_from_its_beginning_until_the_count() {
    let port = Port::free();
    let group = port.group();
    let receiver = receiver(&format!("{group} --count 5"));
    let file = NewsFile::of("one\ntwo");
    well(sent(
        &format!("{group} --repeat --count 5 --rate 1000/s"),
        &file,
    ));
    assert_eq!(well(receiver.ended()), "one\ntwo\none\ntwo\none\n");
}

#[test]
fn a_file_of_which_no_line_fits_is_not_sent_again_and_again() {
    let group = Port::free().group();
    let file = NewsFile::of("too long\ntoo long, too\n");
    let limit = "--max-datagram 5";
    for until in ["--repeat", "--repeat --count 3", ""] {
        let ended = sent(
            &format!("{group} {until} {limit} --rate 1000/s --json"),
            &file,
        );
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert_eq!(counts(&ended.out), [0, 0, 0, 2, 0]);
        let told = format!("error: no line of {file} fits a datagram of 5 bytes; --truncate ");
        assert_eq!(ended.err.contains(&told), !until.is_empty(), "{ended:?}");
    }
}

#[test]
fn of_a_file_only_so_many_lines_are_sent_as_the_count_says() {
    let port = Port::free();
    let group = port.group();
    let receiver = receiver(&format!("{group} --count 2"));
    let file = NewsFile::of("one\ntwo\nthree\n");
    let ended = sent(&format!("{group} --count 2 --rate 1000/s --json"), &file);
    assert_eq!(counts(&well(ended)), [2, 8, 0, 0, 0]);
    assert_eq!(well(receiver.ended()), "one\ntwo\n");
}

#[test]
fn a_line_of_stdin_is_sent_when_it_comes() {
    let port = Port::free();
    let group = port.group();
    let receiver = receiver(&group);
    let mut sender = on_loopback(&format!("send {group} --interval 0s -"));
    sender.say("one\ntw");
    receiver.out.until("the first line", |out| out == "one\n");
    sender.say("o\nlast");
    receiver
        .out
        .until("the second line", |out| out == "one\ntwo\n");
    well(sender.ended());
    receiver.out.until("the last, which has no end", |out| {
        out == "one\ntwo\nlast\n"
    });
}
