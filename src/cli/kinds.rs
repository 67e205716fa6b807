//! `models`, `syncs` and `fanouts`: what can be chosen, and what each choice means.

use super::output;

use guardhouse::Fanout;
use guardhouse::strategy::{About, LockKind, ModelKind};

pub(crate) fn models(json: bool) -> anyhow::Result<()> {
    print(&ModelKind::ALL.map(ModelKind::about), json)
}

pub(crate) fn syncs(json: bool) -> anyhow::Result<()> {
    print(&LockKind::ALL.map(LockKind::about), json)
}

pub(crate) fn fanouts(json: bool) -> anyhow::Result<()> {
    print(&Fanout::ALL.map(Fanout::about), json)
}

fn print(kinds: &[About], json: bool) -> anyhow::Result<()> {
    if json {
        output::line(&serde_json::to_string_pretty(kinds)?)?;
        return Ok(());
    }
    for about in kinds {
        output::line(&described(about))?;
    }
    Ok(())
}

/// Its name, and indented below that what there is to say of it, each with a label.
fn described(about: &About) -> String {
    let About {
        name,
        known_as,
        cost,
        starvation,
    } = about;
    format!(
        "{name}\n    known as:   {known_as}\n    cost:       {cost}\n    starvation: {starvation}"
    )
}
