//! `models` and `syncs`: what can be chosen, and what each choice means.

use super::output;

use guardhouse::strategy::{About, LockKind, ModelKind};

pub(crate) fn models(json: bool) -> anyhow::Result<()> {
    print(&ModelKind::ALL.map(ModelKind::about), json)
}

pub(crate) fn syncs(json: bool) -> anyhow::Result<()> {
    print(&LockKind::ALL.map(LockKind::about), json)
}

fn print(kinds: &[About], json: bool) -> anyhow::Result<()> {
    if json {
        output::line(&serde_json::to_string_pretty(kinds)?)?;
        return Ok(());
    }
    for about in kinds {
        output::line(&format!(
            "{:<11} {}; {}",
            about.name, about.cost, about.starvation
        ))?;
    }
    Ok(())
}
