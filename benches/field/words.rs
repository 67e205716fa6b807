//! Several names on the command line: `cargo bench --bench models -- thread pool`.
//!
//! Criterion takes one word at most, and any line that contains it. So names are made into one regular expression that
//! matches exactly them, and the bench begins anew with that in their place. Everything else goes to criterion as it is.
//! A bench may have names of several kinds: of fan-outs, and of the models that they run under.

use std::env;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The flags of criterion's whose value may be anybody's name.
const NAMED: [&str; 6] = [
    "-b",
    "-s",
    "--baseline",
    "--baseline-lenient",
    "--load-baseline",
    "--save-baseline",
];

/// The arguments of this program.
pub(crate) struct Words {
    names: Vec<String>,
    rest: Vec<String>,
}

impl Words {
    /// Looks for names of `known`. With `--exact` a word is the whole of a line, and criterion's own business.
    pub(crate) fn given(known: &[&str]) -> Self {
        let arguments: Vec<String> = env::args().skip(1).collect();
        let exact = arguments.iter().any(|argument| argument == "--exact");
        let (mut names, mut rest) = (Vec::new(), Vec::new());
        let mut before = String::new();
        for argument in arguments {
            let is_value = NAMED.contains(&before.as_str());
            let is_name = known.contains(&argument.as_str()) && !is_value && !exact;
            before.clone_from(&argument);
            if is_name { &mut names } else { &mut rest }.push(argument);
        }
        Self { names, rest }
    }

    pub(crate) fn name(&self, name: &str) -> bool {
        self.names.iter().any(|given| given == name)
    }

    /// If there are names, starts the program again with one filter for the lines of `group` that are theirs,
    /// `group/name/...`.
    ///
    /// # Errors
    /// When it cannot be started again.
    #[allow(dead_code, reason = "not for a bench of several groups")]
    pub(crate) fn into_one_filter(self, group: &str) -> io::Result<()> {
        let filter = format!("^{group}/({})/", self.names.join("|"));
        self.into_filter(&filter)
    }

    /// Those of `kind` that were given, or all of them if none was, as a piece of a regular expression.
    #[allow(dead_code, reason = "not for a bench of one kind of names")]
    pub(crate) fn among(&self, kind: &[&str]) -> String {
        let given: Vec<&str> = kind
            .iter()
            .copied()
            .filter(|name| self.name(name))
            .collect();
        format!(
            "({})",
            if given.is_empty() { kind } else { &given }.join("|")
        )
    }

    /// If there are names, starts the program again with `filter` in their place.
    ///
    /// # Errors
    /// When it cannot be started again.
    pub(crate) fn into_filter(self, filter: &str) -> io::Result<()> {
        if self.names.is_empty() {
            return Ok(());
        }
        let mut again = Command::new(env::current_exe()?);
        Err(again.arg(filter).args(self.rest).exec())
    }
}
