//! `news doctor`: the library's diagnosis, printed.

use crate::cli::args::{Doctor, Switch};
use crate::cli::{SaidAlready, output};
use guardhouse::datagram::doctor::{Diagnosis, Question};
use std::fmt::Write;

pub(super) fn run(args: &Doctor) -> anyhow::Result<()> {
    let question = Question {
        audience: args.of.audience(),
        interface: args.of.interface.clone(),
        sources: args.source.clone(),
        ttl: args.ttl,
        loops: args.loops == Switch::On,
    };
    let diagnosis = question.examine(args.listen.time);
    if args.json {
        output::line(&serde_json::to_string(&diagnosis)?)?;
    } else {
        output::print(walk(&diagnosis).as_bytes())?;
    }
    match diagnosis.reason {
        Some(_) => Err(SaidAlready.into()),
        None => Ok(()),
    }
}

/// A line for each check, and at the end the one that is the reason.
fn walk(diagnosis: &Diagnosis) -> String {
    let mut text = String::new();
    let mut line = |words: std::fmt::Arguments<'_>| {
        // A string takes everything.
        let _ = text.write_fmt(words);
        text.push('\n');
    };
    for check in &diagnosis.checks {
        let verdict = check.verdict.name();
        line(format_args!(
            "{verdict:8} {:11} {}",
            check.name, check.found
        ));
        if let Some(advice) = &check.advice {
            line(format_args!("{:20} -> {advice}", ""));
        }
    }
    for hint in &diagnosis.hints {
        line(format_args!("{:8} {:11} {hint}", "hint", ""));
    }
    match diagnosis.reason() {
        Some(check) => {
            let advice = check.advice.as_deref();
            let advice = advice.map_or_else(String::new, |advice| format!("; {advice}"));
            line(format_args!(
                "the reason: {}: {}{advice}",
                check.name, check.found
            ));
        }
        None => match diagnosis.heard {
            Some(count @ 1..) => line(format_args!(
                "no reason: {count} came to {} while we listened",
                diagnosis.audience
            )),
            _ => line(format_args!(
                "no reason found: as far as this host can tell, {} is heard here when somebody sends",
                diagnosis.audience
            )),
        },
    }
    text
}
