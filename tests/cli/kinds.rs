//! `models` and `syncs`: everything that can be chosen is listed, for people and for programs.

use crate::child::{Program, guardhouse};
use guardhouse::strategy::{About, LockKind, ModelKind};
use serde_json::Value;

fn output(args: &[&str]) -> String {
    let ended = Program::start(guardhouse(args)).ended();
    assert_eq!((ended.code, &*ended.err), (Some(0), ""));
    ended.out
}

/// `command` lists `kinds`: a line each, and an entry each.
fn lists(command: &str, kinds: &[About]) {
    let text = output(&[command]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), kinds.len(), "{text}");
    for (line, about) in lines.iter().zip(kinds) {
        assert_eq!(line.split_whitespace().next(), Some(about.name));
        assert!(
            line.contains(about.cost) && line.contains(about.starvation),
            "{line}"
        );
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
fn what_is_for_learning_is_listed_as_not_recommended() {
    for line in output(&["syncs"]).lines() {
        let name = line.split_whitespace().next().unwrap();
        let for_learning = ["ticket", "spin"].contains(&name);
        assert_eq!(
            line.contains("measured, not recommended"),
            for_learning,
            "{line}"
        );
    }
}
