//! `guardhouse compare` as people and scripts run it.
#![cfg(feature = "cli")]

mod choice;
mod interruption;
mod lab;
mod reports;
