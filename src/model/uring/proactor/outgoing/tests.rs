use super::*;
use crate::log::Log;
use std::io;
use std::os::fd::AsFd;

/// One whose socket is of no matter: nothing is sent here.
fn of_a_client() -> Gathered {
    Gathered::of(7, Target::descriptor(io::stdin().as_fd()))
}

fn gather(outgoing: &mut Outgoing, mine: &mut Gathered, messages: &[&[u8]]) -> bool {
    let slices: Vec<IoSlice<'_>> = messages.iter().map(|m| IoSlice::new(m)).collect();
    let all: usize = messages.iter().map(|message| message.len()).sum();
    if let [one] = messages
        && outgoing.gather_first(mine, one)
    {
        return true;
    }
    let gathered = outgoing.gather(mine, &slices);
    assert!(gathered.is_none_or(|bytes| bytes == all));
    gathered.is_some()
}

fn segment(bytes: &[u8]) -> Segment {
    let log = Log::new(bytes.len());
    let begin = log.end();
    log.append(bytes);
    let mut found = None;
    log.read(begin, bytes.len(), |segment| found = Some(segment));
    found.unwrap()
}

#[test]
fn a_client_has_one_send_and_its_bytes_lie_together() {
    let mut outgoing = Outgoing::new();
    let (mut ann, mut bob) = (of_a_client(), of_a_client());
    assert!(gather(&mut outgoing, &mut ann, &[b"one"]));
    assert!(gather(&mut outgoing, &mut bob, &[b"two", b"three"]));
    assert!(gather(&mut outgoing, &mut ann, &[b"four", b"five"]));
    assert!(gather(&mut outgoing, &mut ann, &[b"six"]));
    assert_eq!(outgoing.find(&ann).unwrap(), b"onefourfivesix");
    assert_eq!(outgoing.find(&bob).unwrap(), b"twothree");
    assert_eq!(outgoing.sends().len(), 2);
}

#[test]
fn nothing_takes_no_place_and_what_follows_is_not_mixed_up() {
    let mut outgoing = Outgoing::new();
    let (mut ann, mut bob) = (of_a_client(), of_a_client());
    assert!(gather(&mut outgoing, &mut ann, &[b""]));
    assert!(outgoing.sends().is_empty());
    assert!(gather(&mut outgoing, &mut bob, &[b"bob's"]));
    assert!(gather(&mut outgoing, &mut ann, &[b"ann's"]));
    assert!(gather(&mut outgoing, &mut ann, &[b" too"]));
    assert_eq!(outgoing.find(&ann).unwrap(), b"ann's too");
    assert_eq!(outgoing.find(&bob).unwrap(), b"bob's");
    assert_eq!(
        outgoing.rest(&ann, 1),
        [b"nn's".as_slice().into(), b" too".as_slice().into()] as [Box<[u8]>; 2]
    );
}

#[test]
fn what_was_not_sent_is_found_again_message_by_message() {
    let mut outgoing = Outgoing::new();
    let (mut ann, mut bob) = (of_a_client(), of_a_client());
    assert!(gather(&mut outgoing, &mut ann, &[b"one"]));
    assert!(gather(&mut outgoing, &mut bob, &[b"else"]));
    assert!(gather(&mut outgoing, &mut ann, &[b"two", b"three"]));
    let rest = |sent| -> Vec<String> {
        let text = |piece: Box<[u8]>| String::from_utf8(piece.into()).unwrap();
        outgoing.rest(&ann, sent).into_iter().map(text).collect()
    };
    assert_eq!(rest(0), ["one", "two", "three"]);
    assert_eq!(rest(1), ["ne", "two", "three"]);
    assert_eq!(rest(3), ["two", "three"]);
    assert_eq!(rest(10), ["e"]);
    assert_eq!(outgoing.rest(&bob, 2), [b"se".as_slice().into()]);
}

#[test]
fn what_many_are_sent_is_borrowed_and_copied_only_when_more_is_to_follow_it() {
    let said = segment(b"said once\n");
    let mut outgoing = Outgoing::new();
    let (mut ann, mut bob) = (of_a_client(), of_a_client());
    for (mine, skip, len) in [(&mut ann, 0, 10), (&mut bob, 5, 5)] {
        let taken = outgoing.borrow(mine, &said, skip);
        assert_eq!(taken, Some(len));
    }
    let there = outgoing.find(&ann).unwrap();
    assert!(std::ptr::eq(there, said.as_bytes()));
    assert!(outgoing.borrow(&mut ann, &said, 0).is_none());
    assert!(gather(&mut outgoing, &mut ann, &[b"more"]));
    assert_eq!(outgoing.find(&ann).unwrap(), b"said once\nmore");
    assert_eq!(outgoing.find(&bob).unwrap(), b"once\n");
    let rest: Vec<_> = outgoing.rest(&ann, 12);
    assert_eq!(rest, [b"re".as_slice().into()]);
    assert_eq!(outgoing.rest(&bob, 2), [b"ce\n".as_slice().into()]);
    outgoing.withdraw(&mut bob);
    assert!(outgoing.find(&bob).is_none());
}

#[test]
fn each_finds_its_own_lender_whoever_comes_between() {
    let mut outgoing = Outgoing::new();
    let rooms = ["one room's\n", "another room's\n", "a third room's\n"];
    let segments = rooms.map(|said| segment(said.as_bytes()));
    let mut all = Vec::new();
    for (said, segment) in rooms
        .iter()
        .zip(&segments)
        .chain(rooms.iter().zip(&segments))
    {
        for skip in [0, 2] {
            let mut mine = of_a_client();
            let taken = outgoing.borrow(&mut mine, segment, skip);
            assert_eq!(taken, Some(said.len() - skip));
            all.push((mine, said[skip..].to_owned()));
        }
        let mut own = of_a_client();
        assert!(gather(&mut outgoing, &mut own, &[b"no lender's"]));
        all.push((own, "no lender's".into()));
    }
    for (mine, said) in &mut all {
        assert_eq!(outgoing.find(mine).unwrap(), said.as_bytes());
        assert!(gather(&mut outgoing, mine, &[b"more"]));
        said.push_str("more");
    }
    for (mine, said) in all {
        assert_eq!(outgoing.find(&mine).unwrap(), said.as_bytes());
    }
}

#[test]
fn what_is_longer_than_a_send_can_say_is_not_borrowed() {
    let mut outgoing = Outgoing::new();
    let long = segment(&vec![b'\n'; Send::LONGEST + 1]);
    let mut mine = of_a_client();
    let mut borrow = |skip| outgoing.borrow(&mut mine, &long, skip);
    assert_eq!(borrow(0), None);
    assert_eq!(borrow(1), Some(Send::LONGEST));
}

#[test]
fn too_much_for_one_client_or_for_the_turn_is_not_taken_at_all() {
    let mut outgoing = Outgoing::new();
    let long = vec![b'x'; LONGEST];
    assert!(!gather(
        &mut outgoing,
        &mut of_a_client(),
        &[&long, b"more"]
    ));
    assert!(outgoing.sends().is_empty());
    let mut clients = 0;
    while !outgoing.is_full() {
        let mut mine = of_a_client();
        assert!(gather(&mut outgoing, &mut mine, &[&long]));
        assert!(!gather(&mut outgoing, &mut mine, &[b"more"]));
        clients += 1;
    }
    assert_eq!(clients, ROOM / LONGEST);
    let one_more = gather(&mut outgoing, &mut of_a_client(), &[b"one byte more"]);
    assert!(!one_more);
}

#[test]
fn what_is_withdrawn_or_of_an_earlier_round_is_not_found() {
    let mut outgoing = Outgoing::new();
    let (mut ann, mut bob) = (of_a_client(), of_a_client());
    assert!(gather(&mut outgoing, &mut ann, &[b"one"]));
    assert!(gather(&mut outgoing, &mut bob, &[b"two"]));
    outgoing.withdraw(&mut ann);
    assert!(outgoing.find(&ann).is_none());
    assert_eq!(outgoing.find(&bob).unwrap(), b"two");
    outgoing.begin_anew();
    assert!(outgoing.find(&bob).is_none());
    assert!(gather(&mut outgoing, &mut bob, &[b"again"]));
    assert_eq!(outgoing.find(&bob).unwrap(), b"again");
}
