//! The documents keep up with the code: what they point to is there, and no model is left out.

use guardhouse::strategy::ModelKind;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn documents() -> Vec<PathBuf> {
    let docs = fs::read_dir(root().join("docs")).unwrap();
    let pages = docs
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "md"));
    let others = ["README.md", "CHANGELOG.md", "src/sync/semaphore/README.md"];
    pages.chain(others.map(|path| root().join(path))).collect()
}

/// `text` without its blocks of code.
fn prose(text: &str) -> String {
    text.split("```").step_by(2).collect()
}

/// Where the links of `text` lead.
fn links(text: &str) -> Vec<&str> {
    let ends = text.split("](").skip(1);
    ends.filter_map(|rest| Some(rest.split_once(')')?.0))
        .collect()
}

/// The names that a page's headings have in links.
fn headings(text: &str) -> Vec<String> {
    let prose = prose(text);
    let lines = prose.lines().filter(|line| line.starts_with('#'));
    let name = |line: &str| {
        let heading = line.trim_start_matches('#').trim();
        let kept = heading
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    lines.map(name).collect()
}

#[test]
fn every_link_within_the_repository_leads_somewhere() {
    let mut checked = 0;
    for document in documents() {
        let text = prose(&read(&document));
        let within = |link: &&str| !link.contains("://");
        for link in links(&text).into_iter().filter(within) {
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => document.clone(),
                path => document.parent().unwrap().join(path),
            };
            let of = document.display();
            assert!(target.exists(), "{of}: nothing is at {link}");
            assert!(
                heading.is_empty() || headings(&read(&target)).iter().any(|h| h == heading),
                "{of}: no such heading: {link}"
            );
            checked += 1;
        }
    }
    assert!(checked > 50, "these are not all: {checked}");
}

#[test]
fn every_model_has_a_section_and_a_row() {
    let sections = headings(&read(&root().join("docs/models.md")));
    let readme = read(&root().join("README.md"));
    for model in ModelKind::ALL {
        assert!(
            sections.iter().any(|section| section == model.name()),
            "docs/models.md has no section on {model}"
        );
        let row = |line: &str| line.starts_with("| `") && line.contains(&format!("`{model}`"));
        assert!(readme.lines().any(row), "README.md has no row for {model}");
    }
}
