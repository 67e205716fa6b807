//! [`Program`]: what a process runs that serves for another one.

use super::child::{PARENT, is_unclaimed};
use crate::model::Unsupported;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How to start a process that calls [`serve_as_child`](super::serve_as_child): program, arguments, and what its
/// environment has beyond our own.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    name: OsString,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    prints: bool,
}

/// On Linux, this very program, even when the file that it was started from has been replaced.
const MYSELF: &str = "/proc/self/exe";

impl Program {
    /// The program at `path`, without arguments. A name without a slash is looked for in `PATH`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self {
            name: path.clone().into(),
            path,
            args: Vec::new(),
            env: Vec::new(),
            prints: true,
        }
    }

    /// The program that is running, without arguments: give it one by which its `main` knows that it is a child, and
    /// calls [`serve_as_child`](super::serve_as_child) before anything else. A child that would start such a server itself
    /// instead, and that one children of its own without end, is refused it.
    ///
    /// # Errors
    /// When the system does not say which one it is.
    pub fn this() -> io::Result<Self> {
        let path = std::env::current_exe()?;
        let mut this = Self::new(if Path::new(MYSELF).exists() {
            MYSELF.into()
        } else {
            path.clone()
        });
        this.name = path.into();
        Ok(this)
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(self, arg: impl AsRef<OsStr>) -> Self {
        self.args([arg])
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        let args = args.into_iter().map(|arg| arg.as_ref().to_owned());
        self.args.extend(args);
        self
    }

    /// Sets a variable of its environment; the others are ours.
    #[must_use]
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let (key, value) = (key.as_ref().to_owned(), value.as_ref().to_owned());
        self.env.push((key, value));
        self
    }

    /// Throws away what it prints to its standard output, which is ours otherwise. Its standard error is ours always.
    #[must_use]
    pub fn silent(mut self) -> Self {
        self.prints = false;
        self
    }

    /// Whether it is there, and this process is one that may start it.
    pub(in crate::model) fn check(program: Option<&Self>) -> Result<(), Unsupported> {
        if !cfg!(target_os = "linux") {
            return Err(Unsupported(
                "the end of its processes is told by a descriptor (pidfd), which is Linux's; take --model thread or pool"
                    .into(),
            ));
        }
        let Some(Self { path, .. }) = program else {
            return Err(Unsupported(
                "it serves from other processes, and nobody said what those run: give it a Program that calls \
                 serve_as_child"
                    .into(),
            ));
        };
        if is_unclaimed() {
            return Err(Unsupported(
                "this process was started to serve for another one, and its main did not call serve_as_child: it would \
                 start processes that start processes"
                    .into(),
            ));
        }
        let is_a_path = path.components().count() > 1;
        match path.metadata() {
            Err(error) if is_a_path => {
                let path = path.display();
                let reason =
                    format!("the program for its processes, {path}, is not there: {error}");
                Err(Unsupported(reason))
            }
            _ => Ok(()),
        }
    }

    /// How to start it with `stdin` as its standard input.
    pub(super) fn command(&self, stdin: impl Into<Stdio>) -> Command {
        let mut command = Command::new(&self.path);
        command.arg0(&self.name).args(&self.args).stdin(stdin);
        for (key, value) in &self.env {
            command.env(key, value);
        }
        command.env(PARENT, std::process::id().to_string());
        if !self.prints {
            command.stdout(Stdio::null());
        }
        // Ctrl-C in a terminal goes to everybody in the group: the parent is to hear it alone, and says it on.
        command.process_group(0);
        command
    }
}

/// The program of a model that was [checked](Program::check).
pub(in crate::model) fn given(program: Option<&Program>) -> io::Result<&Program> {
    program.ok_or_else(|| io::Error::other("nobody said what its processes run"))
}
