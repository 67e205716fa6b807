//! `news send`.

use crate::cli::args::{SendNews, Verbosity};

pub(super) fn run(_: &SendNews, _: Verbosity) -> anyhow::Result<()> {
    anyhow::bail!("to come")
}
