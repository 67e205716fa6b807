//! `news receive`.

use crate::cli::args::{ReceiveNews, Verbosity};

pub(super) fn run(_: &ReceiveNews, _: Verbosity) -> anyhow::Result<()> {
    anyhow::bail!("to come")
}
