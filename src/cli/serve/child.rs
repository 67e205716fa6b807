//! `serve --as-child`: a process of `--model process` or `prefork`.

use super::service;
use crate::cli::args::{Serve, Verbosity};
use crate::cli::output;
use anyhow::Context;
use guardhouse::model::{Program, orphaned, serve_as_child};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::ffi::OsString;
use std::fs;

/// This program with the same arguments, as a child.
pub(super) fn program() -> anyhow::Result<Program> {
    let mut args: Vec<OsString> = std::env::args_os().skip(1).collect();
    // Behind a `--` it would be no flag.
    let end = args.iter().position(|arg| arg == "--");
    args.insert(end.unwrap_or(args.len()), "--as-child".into());
    let this = Program::this().context("the system does not say which program this is")?;
    // It says nothing, and whoever reads ours to its end is not to wait for it.
    Ok(this.args(args).silent())
}

/// It serves one client at a time. Room for 128,000 lines, which a server has, would take longer to make than all of
/// the start.
const LOG_LINES: usize = 1024;

pub(super) fn run(args: &Serve, verbosity: Verbosity) -> anyhow::Result<()> {
    // The parent says when to end. A signal may be sent to everybody; it is not to end those before whom it tells.
    // When it is gone, they are all that says so.
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_default(signal, orphaned())
            .context("cannot disregard signals")?;
    }
    // Not what it was started by, `exe`: people look for it in lists of processes. Where that is no file, it stays.
    let _ = fs::write("/proc/self/comm", "gh-child");
    let log = output::start_log_for(verbosity.level(), LOG_LINES);
    let outcome = service(args).and_then(|service| Ok(serve_as_child(&*service)?));
    log.end();
    outcome
}
