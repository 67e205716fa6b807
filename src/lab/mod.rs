//! The lab: compares models, locks and fan-outs, each as a server in a process of its own, under the same load.
//!
//! A [`Plan`] is a list of [`Cell`]s and a number of rounds. Every round visits every cell once, in an order of
//! its own: what changes in the machine meanwhile (heat, a neighbour, a cron job) then hits all cells alike and
//! not the last one. What comes out is a [`Report`]: medians over the rounds with their spread, and the
//! machine that it was measured on.

mod child;
mod cpu;
mod family;
mod machine;
mod memory;
mod plan;
mod report;
mod run;

pub use child::{ServerError, ServerProcess};
pub use machine::Machine;
pub use plan::{Axes, Cell, Plan, Tuning, Workload};
pub use report::{Report, Row, Sample, Setup, Spread};
pub use run::{LabError, run};
