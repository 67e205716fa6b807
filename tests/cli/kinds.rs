//! `models`, `syncs` and `fanouts`: everything that can be chosen is listed, for people and for programs.

use crate::child::{Program, guardhouse};
use guardhouse::Fanout;
use guardhouse::strategy::{About, LockKind, ModelKind};
use serde_json::Value;

fn output(args: &[&str]) -> String {
    let ended = Program::start(guardhouse(args)).ended();
    assert_eq!((ended.code, &*ended.err), (Some(0), ""));
    ended.out
}

/// What `command` prints, kind by kind: a name, and what is said of it, each on an indented line with a label.
fn blocks(command: &str) -> Vec<(String, Vec<String>)> {
    let mut blocks: Vec<(String, Vec<String>)> = Vec::new();
    for line in output(&[command]).lines() {
        match (line.strip_prefix("    "), blocks.last_mut()) {
            (Some(said), Some((_, of_it))) => of_it.push(said.into()),
            _ => blocks.push((line.into(), Vec::new())),
        }
    }
    blocks
}

/// `command` lists `kinds`: a block each, and an entry each.
fn lists(command: &str, kinds: &[About]) {
    let blocks = blocks(command);
    assert_eq!(blocks.len(), kinds.len(), "{blocks:?}");
    for ((name, said), about) in blocks.iter().zip(kinds) {
        assert_eq!(name, about.name);
        let expected = [
            format!("known as:   {}", about.known_as),
            format!("cost:       {}", about.cost),
            format!("starvation: {}", about.starvation),
        ];
        assert_eq!(said[..3], expected, "{name}");
    }

    let json: Value = serde_json::from_str(&output(&[command, "--json"])).unwrap();
    let entries = json.as_array().expect("a list");
    assert_eq!(entries.len(), kinds.len());
    for (entry, about) in entries.iter().zip(kinds) {
        assert_eq!(entry["name"], about.name);
        assert_eq!(entry["cost"], about.cost);
        assert_eq!(entry["starvation"], about.starvation);
    }
}

#[test]
fn every_model_is_listed_with_its_cost_and_who_may_starve() {
    lists("models", &ModelKind::ALL.map(ModelKind::about));
}

#[test]
fn every_sync_is_listed_with_its_cost_and_who_may_starve() {
    lists("syncs", &LockKind::ALL.map(LockKind::about));
}

#[test]
fn every_fanout_is_listed_with_the_models_and_the_policies_that_go_with_it() {
    lists("fanouts", &Fanout::ALL.map(Fanout::about));

    let listed = blocks("fanouts");
    let said = |of: usize| listed[of].1[3..].join("\n");
    let waiting = "--model:    iterative, thread, pool\n--slow:     block";
    assert_eq!(said(0), waiting);
    let queue = "--slow:     disconnect, drop-newest, drop-oldest, block (block with --model iterative or thread or pool only)";
    assert!(said(2).ends_with(queue), "{}", said(2));
    assert!(said(4).ends_with("\n--slow:     disconnect, drop-oldest"));

    let json: Value = serde_json::from_str(&output(&["fanouts", "--json"])).unwrap();
    for (entry, fanout) in json.as_array().unwrap().iter().zip(Fanout::ALL) {
        let policies: Vec<&str> = fanout.policies().iter().map(|slow| slow.name()).collect();
        assert_eq!(entry["slow"], Value::from(policies));
        for model in ModelKind::ALL {
            let listed = entry["models"].as_array().unwrap();
            let goes = model.shares_memory() && fanout.goes_with(model);
            assert_eq!(
                listed.contains(&model.name().into()),
                goes,
                "{fanout} {model}"
            );
        }
    }
}

#[test]
fn what_is_for_learning_is_listed_as_not_recommended() {
    for (name, said) in blocks("syncs") {
        let for_learning = ["ticket", "spin"].contains(&&*name);
        let warned = said
            .iter()
            .any(|line| line.contains("measured, not recommended"));
        assert_eq!(warned, for_learning, "{name}: {said:?}");
    }
}
