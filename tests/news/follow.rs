//! `--follow`: a file that grows, is cut, is replaced or goes away, and what of it is sent.

use crate::child::Program;
use crate::stage::{NewsFile, Port, on_loopback, receiver, well};
use rustix::process::Signal;
use std::fs;

/// A sender that follows a file, and somebody who hears it.
struct Followed {
    file: NewsFile,
    receiver: Program,
    sender: Program,
    _port: Port,
}

impl Followed {
    /// What is in the file is heard already.
    fn begin(text: &str) -> Self {
        let port = Port::free();
        let group = port.group();
        let file = NewsFile::of(text);
        let receiver = receiver(&group);
        let sender = on_loopback(&format!("send {group} --follow --interval 0s {file}"));
        let followed = Self {
            file,
            receiver,
            sender,
            _port: port,
        };
        followed.hears(text);
        followed
    }

    /// These lines, and no others, since the beginning.
    fn hears(&self, all: &str) {
        self.receiver.out.until("these lines", |out| out == all);
    }

    /// Moves the file away, as whoever rotates it does.
    fn rotate(&self) -> NewsFile {
        let old = NewsFile::of("");
        fs::rename(&*self.file, &*old).unwrap();
        old
    }

    /// Ends the sender, and gives what it told.
    fn told(self) -> String {
        self.sender.signal(Signal::INT);
        let ended = self.sender.ended();
        let told = ended.err.clone();
        well(ended);
        told
    }
}

fn tells(told: &str, words: &str) {
    assert!(told.contains(words), "no {words:?} in {told}");
}

#[test]
fn lines_that_are_added_are_sent() {
    let followed = Followed::begin("one\n");
    followed.file.append("two\nthr");
    followed.hears("one\ntwo\n");
    followed.file.append("ee\nno end");
    followed.hears("one\ntwo\nthree\n");
    tells(&followed.told(), "sent 3 lines, 14 bytes");
}

#[test]
fn a_file_that_was_cut_or_replaced_is_followed_from_its_beginning() {
    let followed = Followed::begin("a line\nanother line\n");
    followed.file.rewrite("cut\n");
    followed.hears("a line\nanother line\ncut\n");
    let other = NewsFile::of("replaced\n");
    fs::rename(&*other, &*followed.file).unwrap();
    followed.hears("a line\nanother line\ncut\nreplaced\n");
    followed.file.append("more\n");
    followed.hears("a line\nanother line\ncut\nreplaced\nmore\n");
    tells(&followed.told(), "sent 5 lines");
}

#[test]
fn a_file_that_is_replaced_is_read_to_its_end_first() {
    let followed = Followed::begin("one\n");
    followed.file.append("last of the old\nno end");
    let _old = followed.rotate();
    followed.file.rewrite("new\n");
    followed.hears("one\nlast of the old\nno end\nnew\n");
    tells(&followed.told(), "sent 4 lines, 30 bytes\n");
}

#[test]
fn who_writes_on_in_a_file_that_was_replaced_by_an_empty_one_is_heard() {
    let followed = Followed::begin("one\n");
    let old = followed.rotate();
    followed.file.rewrite("");
    for (late, all) in [("two\n", "one\ntwo\n"), ("three\n", "one\ntwo\nthree\n")] {
        old.append(late);
        followed.hears(all);
    }
    followed.file.append("new\n");
    followed.hears("one\ntwo\nthree\nnew\n");
    tells(&followed.told(), "sent 4 lines");
}

#[test]
fn a_line_whose_file_is_cut_before_its_end_is_told() {
    let followed = Followed::begin("one\n");
    // They are read at once.
    followed.file.append("two\nhalf");
    followed.hears("one\ntwo\n");
    followed.file.rewrite("new\n");
    followed.hears("one\ntwo\nnew\n");
    let told = followed.told();
    tells(
        &told,
        "was cut: 4 bytes of a line without an end not sent\n",
    );
}

#[test]
fn a_file_that_is_gone_is_told_once_and_waited_for() {
    let followed = Followed::begin("one\n");
    let old = followed.rotate();
    let err = &followed.sender.err;
    err.until("that it is gone", |err| err.contains(" is gone "));
    for (late, all) in [("two\n", "one\ntwo\n"), ("three\n", "one\ntwo\nthree\n")] {
        old.append(late);
        followed.hears(all);
    }
    followed.file.rewrite("new\n");
    followed.hears("one\ntwo\nthree\nnew\n");
    let all = followed.told();
    for told in [" is gone ", " is back\n"] {
        assert_eq!(all.matches(told).count(), 1, "{told:?} in {all}");
    }
}
