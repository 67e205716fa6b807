//! What a bench of locks needs and criterion has not: threads.
//!
//! | file | what |
//! |---|---|
//! | `work.rs` | work of a known length that touches no shared memory |
//! | `race.rs` | threads that set out together: so many sections, or for so long |
//! | `rounds.rs` | everybody measured once per round, in shuffled order; medians |
//! | `contest.rs` | all rivals in one discipline: criterion's lines, then the rounds |
//! | `sheet.rs` | what came out, as a table |
//!
//! Two kinds of measuring, for two questions. A number of sections that the threads share out among themselves, and the
//! time it takes: what criterion wants. A stretch of time, and how many sections each thread got done in it: only this
//! shows who starves, since equal shares by construction are equal whatever the lock does.
//!
//! One subject after the other, as criterion measures, sets the machine's mood of one minute against that of
//! the next. The tables are therefore made in rounds, and their ratios are of medians over rounds. What no round removes is the
//! accident of where the compiler put a loop: a difference of a nanosecond between two builds is
//! nothing.

pub(crate) mod contest;
pub(crate) mod race;
pub(crate) mod rounds;
pub(crate) mod sheet;
pub(crate) mod work;

/// Whether everything is only to be tried out once: as criterion sees it, by `cargo bench -- --test` and by `cargo test`.
pub(crate) fn only_a_test() -> bool {
    let given = |flag: &str| std::env::args().any(|argument| argument == flag);
    given("--test") || !given("--bench")
}
