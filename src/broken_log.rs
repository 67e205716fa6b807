//! A log that panics, for the tests of those who must survive one.

use std::panic::resume_unwind;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Panics at every event for which this says so, on the thread of the event.
pub(crate) struct BrokenLog(pub(crate) fn() -> bool);

impl Subscriber for BrokenLog {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        if (self.0)() {
            resume_unwind(Box::new("the log fell apart"));
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
