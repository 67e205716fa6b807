//! `models`, `syncs` and `fanouts`: what can be chosen, and what each choice means.

use super::output;
use super::serve::models_that_wait;

use guardhouse::strategy::{About, LockKind, ModelKind};
use guardhouse::{Fanout, Slow};
use serde::Serialize;

pub(crate) fn models(json: bool) -> anyhow::Result<()> {
    print(&ModelKind::ALL.map(ModelKind::about), json)
}

pub(crate) fn syncs(json: bool) -> anyhow::Result<()> {
    print(&LockKind::ALL.map(LockKind::about), json)
}

pub(crate) fn fanouts(json: bool) -> anyhow::Result<()> {
    let fanouts = Fanout::ALL.map(Offer::of);
    if json {
        return output::line(&serde_json::to_string_pretty(&fanouts)?);
    }
    for fanout in fanouts {
        output::line(&fanout.described())?;
    }
    Ok(())
}

fn print(kinds: &[About], json: bool) -> anyhow::Result<()> {
    if json {
        return output::line(&serde_json::to_string_pretty(kinds)?);
    }
    for about in kinds {
        output::line(&described(about))?;
    }
    Ok(())
}

/// A fan-out, and what it goes with.
#[derive(Serialize)]
struct Offer {
    #[serde(flatten)]
    about: About,
    /// As `--model` calls them.
    models: Vec<&'static str>,
    /// As `--slow` calls them, the default first.
    slow: Vec<&'static str>,
}

impl Offer {
    fn of(fanout: Fanout) -> Self {
        let models = ModelKind::ALL.into_iter();
        let models = models.filter(|model| model.shares_memory() && fanout.goes_with(*model));
        Self {
            about: fanout.about(),
            models: models.map(ModelKind::name).collect(),
            slow: fanout.policies().iter().map(|slow| slow.name()).collect(),
        }
    }

    fn described(&self) -> String {
        let about = described(&self.about);
        let models = self.models.join(", ");
        let slow = self.slow.join(", ");
        // The fan-out that has no other policy goes with no other models.
        let only = if self.slow.len() > 1 && self.slow.contains(&Slow::Block.name()) {
            format!(" (block with --model {} only)", models_that_wait())
        } else {
            String::new()
        };
        format!("{about}\n    --model:    {models}\n    --slow:     {slow}{only}")
    }
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
