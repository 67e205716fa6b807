//! The command as a child that is waited for, and what it printed.

use std::process::{Command, Output, Stdio};

pub(crate) fn compare(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_guardhouse"));
    command.arg("compare").args(args).stdin(Stdio::null());
    command
}

pub(crate) fn output(args: &[&str]) -> Output {
    compare(args).output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// What `--json` says of a comparison that has to succeed.
pub(crate) fn report(args: &[&str]) -> serde_json::Value {
    let output = output(&[args, &["--json", "--quiet", "--duration=50ms"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "");
    serde_json::from_slice(&output.stdout).unwrap()
}
