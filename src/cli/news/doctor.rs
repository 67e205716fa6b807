//! `news doctor`.

use crate::cli::args::{Doctor, Verbosity};

pub(super) fn run(_: &Doctor, _: Verbosity) -> anyhow::Result<()> {
    anyhow::bail!("to come")
}
