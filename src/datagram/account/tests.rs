//! A link that loses, repeats and reorders by a seed, and books that must agree with what it did.

use super::super::header::{Header, Kind};
use super::*;
use proptest::prelude::*;
use std::collections::HashSet;
use std::time::Duration;

const HOME: &str = "10.77.0.1:5000";

fn home() -> SocketAddr {
    HOME.parse().expect("an address")
}

fn news(stream: u64, sequence: u64) -> Header {
    Header {
        kind: Kind::News,
        stream,
        sequence,
        sent_at: Duration::from_millis(1000 + sequence),
    }
}

fn end(stream: u64, sequence: u64) -> Header {
    Header {
        kind: Kind::End,
        ..news(stream, sequence)
    }
}

/// Enters datagrams of stream 1 by their numbers.
fn entered(sequences: &[u64]) -> (Account, Vec<Verdict>) {
    let mut account = Account::new();
    let now = Instant::now();
    let verdicts = sequences
        .iter()
        .map(|sequence| account.numbered(&news(1, *sequence), home(), 10, now))
        .collect();
    (account, verdicts)
}

#[test]
fn each_datagram_is_told_for_what_it_is() {
    let (account, verdicts) = entered(&[5, 6, 9, 8, 8, 7, 10, 3, 5]);
    assert_eq!(
        verdicts,
        [
            Verdict::Begun {
                first: 5,
                again: false
            },
            Verdict::InOrder,
            Verdict::Gap {
                from: 7,
                missing: 2
            },
            Verdict::Late,
            Verdict::Duplicate,
            Verdict::Late,
            Verdict::InOrder,
            Verdict::Late,
            Verdict::Duplicate,
        ]
    );
    let report = account.report(Some(4));
    let stream = &report.streams[0];
    assert_eq!((stream.first, stream.next), (3, 11));
    assert_eq!((stream.received, stream.lost), (7, 1));
    assert_eq!((stream.duplicates, stream.reordered), (2, 3));
    assert_eq!((report.bytes, report.dropped_here), (90, Some(4)));
}

#[test]
fn the_end_tells_how_many_of_the_last_were_lost_and_a_straggler_is_found_again() {
    let (mut account, _) = entered(&[0, 1]);
    let now = Instant::now();
    let mut told = |header: &Header| account.numbered(header, home(), 0, now);
    assert_eq!(
        told(&end(1, 5)),
        Verdict::Ended {
            first: 2,
            missing: 3
        }
    );
    assert_eq!(
        told(&end(1, 5)),
        Verdict::Ended {
            first: 5,
            missing: 0
        }
    );
    assert_eq!(told(&news(1, 4)), Verdict::Late);
    let stream = &account.report(None).streams[0];
    assert_eq!((stream.next, stream.received, stream.lost), (5, 3, 2));
    assert!(stream.ended);
}

#[test]
fn of_a_stream_only_the_end_may_be_heard_and_then_what_came_late() {
    let mut account = Account::new();
    let now = Instant::now();
    let mut told = |header: &Header| account.numbered(header, home(), 3, now);
    assert_eq!(told(&end(1, 9)), Verdict::OnlyEnded { count: 9 });
    assert_eq!(
        told(&end(1, 9)),
        Verdict::Ended {
            first: 9,
            missing: 0
        }
    );
    assert_eq!(told(&news(1, 7)), Verdict::Late);
    let stream = &account.report(None).streams[0];
    assert_eq!((stream.first, stream.next), (7, 9));
    assert_eq!((stream.received, stream.lost), (1, 1));
    assert_eq!(stream.bytes, 3, "an end brings no news");
}

#[test]
fn what_was_sent_long_before_the_first_that_was_heard_makes_nothing_lost() {
    let (account, verdicts) = entered(&[1_000_000, 5, 999_999]);
    assert_eq!(verdicts[1..], [Verdict::Stale, Verdict::Late]);
    let stream = &account.report(None).streams[0];
    assert_eq!((stream.received, stream.lost, stream.stale), (2, 0, 1));
}

#[test]
fn a_stream_that_goes_on_after_its_end_is_not_over() {
    let (mut account, _) = entered(&[0, 1]);
    let now = Instant::now();
    account.numbered(&end(1, 2), home(), 0, now);
    assert!(account.report(None).streams[0].ended);
    account.numbered(&news(1, 2), home(), 0, now);
    assert!(!account.report(None).streams[0].ended);
}

#[test]
fn who_uses_the_number_of_anothers_stream_spoils_nothing() {
    let (mut account, _) = entered(&[0, 1]);
    let now = Instant::now();
    let stranger = "10.77.0.9:5000".parse().expect("an address");
    account.numbered(&news(1, 1 << 60), stranger, 0, now);
    let told = account.numbered(&news(1, 2), home(), 0, now);
    assert_eq!(told, Verdict::InOrder);
    let report = account.report(None);
    assert_eq!((report.totals.lost, report.totals.restarts), (0, 0));
}

#[test]
fn of_two_senders_on_a_host_the_one_that_fell_silent_started_again() {
    let mut account = Account::new();
    let mut now = Instant::now();
    let mut told = |stream, sequence| {
        now += Duration::from_millis(1);
        account.numbered(&news(stream, sequence), home(), 0, now)
    };
    told(1, 0);
    told(2, 0);
    told(2, 1);
    told(1, 1);
    // The second starts again, under a new number; the first is there all the while.
    told(3, 0);
    told(1, 2);
    told(3, 1);
    told(1, 3);
    let report = account.report(None);
    let restarted: Vec<bool> = report.streams.iter().map(|one| one.restarted).collect();
    assert_eq!(restarted, [false, false, true]);
}

#[test]
fn a_sender_that_started_again_is_told_and_two_at_once_are_not() {
    let mut account = Account::new();
    let mut now = Instant::now();
    let mut told = |stream, sequence| {
        now += Duration::from_millis(1);
        account.numbered(&news(stream, sequence), home(), 0, now)
    };
    told(1, 0);
    told(1, 1);
    assert_eq!(
        told(2, 0),
        Verdict::Begun {
            first: 0,
            again: true
        }
    );
    // A straggler of the first, and what it sent twice, are no sign of life.
    assert_eq!(told(1, 1), Verdict::Duplicate);
    assert_eq!(account.report(None).totals.restarts, 1);
    let mut told = |stream, sequence| account.numbered(&news(stream, sequence), home(), 0, now);
    assert_eq!(told(1, 2), Verdict::InOrder, "it was there all the while");
    assert_eq!(account.report(None).totals.restarts, 0);
}

#[test]
fn who_counts_from_the_beginning_under_the_same_number_has_started_again() {
    let (mut account, _) = entered(&[0, 1, 2, 4]);
    let mut anew = news(1, 0);
    anew.sent_at += Duration::from_secs(9);
    let told = account.numbered(&anew, home(), 0, Instant::now());
    assert_eq!(
        told,
        Verdict::Begun {
            first: 0,
            again: true
        }
    );
    let report = account.report(None);
    assert_eq!(report.streams.len(), 2);
    let totals = report.totals;
    assert_eq!((totals.received, totals.lost, totals.restarts), (5, 1, 1));
}

#[test]
fn another_host_is_another_sender() {
    let mut account = Account::new();
    let now = Instant::now();
    account.numbered(&news(1, 0), home(), 0, now);
    let other = "10.77.0.2:5000".parse().expect("an address");
    let told = account.numbered(&news(2, 0), other, 0, now);
    assert_eq!(
        told,
        Verdict::Begun {
            first: 0,
            again: false
        }
    );
}

#[test]
fn however_many_streams_are_made_up_the_books_stay_small_and_the_sums_right() {
    let mut account = Account::new();
    let start = Instant::now();
    let streams = 3 * (MOST_STREAMS + MOST_CLOSED) as u64;
    for id in 0..streams {
        account.numbered(
            &news(id, 0),
            home(),
            0,
            start + Duration::from_micros(2 * id),
        );
        account.numbered(
            &news(id, 2),
            home(),
            0,
            start + Duration::from_micros(2 * id + 1),
        );
    }
    assert!(account.streams.len() + account.closed.len() <= MOST_STREAMS + MOST_CLOSED);
    let totals = account.report(None).totals;
    assert_eq!((totals.received, totals.lost), (2 * streams, streams));
}

#[test]
fn streams_that_are_made_up_drive_out_none_that_is_alive() {
    let mut account = Account::new();
    let start = Instant::now();
    account.numbered(&news(1, 0), home(), 0, start);
    account.numbered(&news(1, 1), home(), 0, start);
    for id in 0..2 * MOST_STREAMS as u64 {
        let at = start + Duration::from_micros(1 + id);
        account.numbered(&news(1000 + id, 0), home(), 0, at);
    }
    let told = account.numbered(&news(1, 12), home(), 0, start + Duration::from_secs(1));
    assert_eq!(
        told,
        Verdict::Gap {
            from: 2,
            missing: 10
        }
    );
}

#[test]
fn whatever_comes_the_runs_of_missing_numbers_are_bounded() {
    let mut stream = Stream::begin(&news(1, 0), home(), 0, Instant::now(), 1);
    let now = Instant::now();
    // As old ones, since no time goes by: each splits what is missing before the highest.
    let mut old = |sequence| {
        let header = Header {
            sent_at: Duration::ZERO,
            ..news(1, sequence)
        };
        stream.enter(&header, 0, now);
    };
    old(1 << 62);
    (1..50_000).for_each(|n| old(2 * n));
    assert!(stream.runs() <= 10_000);
    let report = stream.report();
    assert_eq!(report.received + report.lost, report.next - report.first);
}

#[test]
fn more_gaps_than_are_kept_are_lost_for_good_and_what_comes_of_them_is_stale() {
    let evens: Vec<u64> = (0..30_000).map(|n| 2 * n).collect();
    let (mut account, _) = entered(&evens);
    let now = Instant::now();
    let mut told = |sequence| account.numbered(&news(1, sequence), home(), 0, now);
    assert_eq!(told(1), Verdict::Stale);
    assert_eq!(told(0), Verdict::Stale);
    assert_eq!(told(2 * 29_999 - 1), Verdict::Late);
    let stream = &account.report(None).streams[0];
    assert_eq!((stream.received, stream.lost), (30_001, 29_998));
    assert_eq!((stream.stale, stream.duplicates), (2, 0));
}

#[test]
fn a_steady_link_has_no_jitter_and_an_uneven_one_has_its_deviation() {
    let start = Instant::now();
    let mut account = Account::new();
    for n in 0..200 {
        account.numbered(&news(1, n), home(), 0, start + Duration::from_millis(7 + n));
    }
    assert!(account.report(None).streams[0].jitter_us < 0.001);
    // Every second one is 0.4 ms late: from one to the next, 0.4 ms too much or too little.
    let mut account = Account::new();
    for n in 0..200 {
        let late = Duration::from_micros(400 * (n % 2));
        account.numbered(
            &news(1, n),
            home(),
            0,
            start + Duration::from_millis(n) + late,
        );
    }
    let jitter = account.report(None).streams[0].jitter_us;
    assert!((399.0..400.1).contains(&jitter), "{jitter}");
}

/// What a link did with the datagrams of one stream.
struct Link {
    came: Vec<u64>,
}

impl Link {
    /// Loses, repeats and delays by chance, in percent.
    fn seeded(seed: u64, sent: u64, loses: u8, repeats: u8, delays: u8) -> Self {
        let mut dice = fastrand::Rng::with_seed(seed);
        let mut under_way: Vec<(u64, u64)> = Vec::new();
        for sequence in 0..sent {
            let mut copies = u32::from(dice.u8(..100) >= loses);
            copies += u32::from(dice.u8(..100) < repeats);
            for _ in 0..copies {
                let delay = if dice.u8(..100) < delays {
                    dice.u64(1..40)
                } else {
                    0
                };
                under_way.push((2 * (sequence + delay), sequence));
            }
        }
        under_way.sort_by_key(|(arrives, _)| *arrives);
        Self {
            came: under_way
                .into_iter()
                .map(|(_, sequence)| sequence)
                .collect(),
        }
    }

    /// The same figures as the account's, by looking back over everything at each step.
    fn expected(&self, sent: u64) -> (u64, u64, u64, u64) {
        let mut seen = HashSet::new();
        let mut highest = None;
        let (mut duplicates, mut reordered) = (0, 0);
        for &sequence in &self.came {
            if !seen.insert(sequence) {
                duplicates += 1;
            } else if highest > Some(sequence) {
                reordered += 1;
            }
            highest = highest.max(Some(sequence));
        }
        let received = seen.len() as u64;
        let first = seen.iter().min().copied().unwrap_or(sent);
        (received, sent - first - received, duplicates, reordered)
    }
}

#[test]
fn over_a_lossy_link_the_books_agree_to_the_last_datagram() {
    const SENT: u64 = 100_000;
    let link = Link::seeded(2026, SENT, 5, 3, 20);
    let (mut account, _) = entered(&link.came);
    account.numbered(&end(1, SENT), home(), 0, Instant::now());
    let stream = &account.report(None).streams[0];
    let (received, lost, duplicates, reordered) = link.expected(SENT);
    assert_eq!(
        (
            stream.received,
            stream.lost,
            stream.duplicates,
            stream.reordered
        ),
        (received, lost, duplicates, reordered)
    );
    assert_eq!(stream.first + stream.received + stream.lost, SENT);
    assert!(
        lost > 4000 && duplicates > 2000 && reordered > 9000,
        "the link did its worst"
    );
}

proptest! {
    #[test]
    fn over_any_link_the_books_agree(
        seed: u64,
        sent in 1_u64..400,
        loses in 0_u8..100,
        repeats in 0_u8..100,
        delays in 0_u8..100,
    ) {
        let link = Link::seeded(seed, sent, loses, repeats, delays);
        let (mut account, _) = entered(&link.came);
        account.numbered(&end(1, sent), home(), 0, Instant::now());
        let report = account.report(None);
        let (received, lost, duplicates, reordered) = link.expected(sent);
        let Some(stream) = report.streams.first() else {
            prop_assert_eq!(received, 0);
            return Ok(());
        };
        prop_assert_eq!((stream.received, stream.lost), (received, lost));
        prop_assert_eq!((stream.duplicates, stream.reordered), (duplicates, reordered));
        prop_assert_eq!(stream.first + stream.received + stream.lost, sent);
    }

    #[test]
    fn no_headers_panic_and_the_sum_always_holds(
        headers in proptest::collection::vec(
            (any::<bool>(), 0_u64..3, prop_oneof![0_u64..20, u64::MAX - 20..u64::MAX], any::<u8>()),
            0..200,
        ),
    ) {
        let mut account = Account::new();
        let now = Instant::now();
        for (ends, stream, sequence, sent_at) in headers {
            let header = Header {
                kind: if ends { Kind::End } else { Kind::News },
                stream,
                sequence,
                sent_at: Duration::from_nanos(sent_at.into()),
            };
            account.numbered(&header, home(), 1, now);
            for stream in &account.report(None).streams {
                prop_assert_eq!(stream.next - stream.first, stream.received + stream.lost);
            }
        }
    }
}
