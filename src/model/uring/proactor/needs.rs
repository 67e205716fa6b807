//! What a ring needs of the machine, and what it means when it is refused.

use super::outgoing::Outgoing;
use super::ring::{self, Ring, Until};
use crate::model::Unsupported;
use rustix::io::Errno;
use std::{fs, io};

/// Tries whether this machine gives us a ring, by making one.
pub(in crate::model::uring) fn check() -> Result<(), Unsupported> {
    let mut ring = ring()?;
    ring.enter(&mut Outgoing::new(), Until::Polled)
        .map_err(refused(Call::Enter))
}

/// A ring for the thread that calls this, and for no other.
///
/// # Errors
/// What is missing. That there was a ring before does not say that there is another: each takes a descriptor and memory.
pub(super) fn ring() -> Result<Ring, Unsupported> {
    let queues = ring::setup().map_err(refused(Call::Setup))?;
    Ring::over(queues).map_err(refused(Call::Register))
}

fn refused(call: Call) -> impl Fn(io::Error) -> Unsupported {
    move |error| Unsupported(sentence(call, &error, &Machine::this_one()))
}

/// The system calls, in the order in which they are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Setup,
    Register,
    Enter,
}

impl Call {
    const fn name(self) -> &'static str {
        match self {
            Self::Setup => "io_uring_setup(2)",
            Self::Register => "io_uring_register(2)",
            Self::Enter => "io_uring_enter(2)",
        }
    }
}

/// What decides besides the call itself.
#[derive(Clone, Debug)]
struct Machine {
    /// Of its kernel, as `uname -r` says it.
    release: String,
    /// The sysctl `kernel.io_uring_disabled`, where there is one.
    disabled: Option<String>,
}

impl Machine {
    fn this_one() -> Self {
        let sysctl = |name| {
            let value = fs::read_to_string(format!("/proc/sys/kernel/{name}"));
            value.ok().map(|value| value.trim().to_owned())
        };
        Self {
            release: sysctl("osrelease").unwrap_or_else(|| "unknown".into()),
            disabled: sysctl("io_uring_disabled"),
        }
    }
}

/// What is missing, and what helps.
fn sentence(call: Call, error: &io::Error, machine: &Machine) -> String {
    let name = call.name();
    let Machine { release, disabled } = machine;
    match (call, Errno::from_io_error(error)) {
        (_, Some(Errno::NOSYS)) => format!(
            "this kernel ({release}) has no {name}: it was built without CONFIG_IO_URING, or a sandbox hides it; \
             epoll is the model next to it"
        ),
        (Call::Setup, Some(Errno::PERM)) if disabled.as_deref() == Some("2") => {
            "io_uring is switched off on this machine: the sysctl kernel.io_uring_disabled is 2, and would have to be 0"
                .into()
        }
        (Call::Setup, Some(Errno::PERM)) if disabled.as_deref() == Some("1") => {
            "io_uring is switched off for this user: the sysctl kernel.io_uring_disabled is 1, which leaves it to \
             the group in kernel.io_uring_group and to CAP_SYS_ADMIN"
                .into()
        }
        (_, Some(Errno::PERM | Errno::ACCESS)) => format!(
            "{name} is forbidden to this process ({error}), as the seccomp filters of many containers do; they can \
             be told to allow it"
        ),
        (Call::Setup, Some(Errno::INVAL)) => format!(
            "the io_uring of this kernel ({release}) is too old: task work that waits for its thread \
             (IORING_SETUP_DEFER_TASKRUN) came with Linux 6.1"
        ),
        (Call::Register, Some(Errno::INVAL)) => format!(
            "the io_uring of this kernel ({release}) is too old: rings of provided buffers \
             (IORING_REGISTER_PBUF_RING) came with Linux 5.19"
        ),
        (_, Some(Errno::MFILE | Errno::NFILE)) => {
            format!("there is no descriptor left for a ring ({error}); ulimit -n says how many there are")
        }
        (_, Some(Errno::NOMEM)) => {
            format!("there is no memory for a ring ({error}); ulimit -l says how much may be locked")
        }
        _ => format!("{name} failed: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(disabled: Option<&str>) -> Machine {
        Machine {
            release: "5.15.0-generic".into(),
            disabled: disabled.map(str::to_owned),
        }
    }

    fn refused(call: Call, errno: Errno, disabled: Option<&str>) -> String {
        sentence(call, &errno.into(), &machine(disabled))
    }

    #[test]
    fn each_refusal_is_told_from_the_others_and_says_what_would_help() {
        for (call, errno, disabled, says) in [
            (Call::Setup, Errno::NOSYS, None, "CONFIG_IO_URING"),
            (
                Call::Setup,
                Errno::PERM,
                Some("2"),
                "kernel.io_uring_disabled is 2",
            ),
            (Call::Setup, Errno::PERM, Some("1"), "kernel.io_uring_group"),
            (Call::Setup, Errno::PERM, Some("0"), "seccomp"),
            (Call::Setup, Errno::PERM, None, "seccomp"),
            (Call::Setup, Errno::INVAL, None, "Linux 6.1"),
            (Call::Setup, Errno::MFILE, None, "ulimit -n"),
            (Call::Setup, Errno::NOMEM, None, "ulimit -l"),
            (Call::Register, Errno::INVAL, None, "Linux 5.19"),
            (Call::Register, Errno::PERM, Some("2"), "seccomp"),
            (Call::Enter, Errno::PERM, Some("0"), "io_uring_enter(2)"),
            (Call::Enter, Errno::IO, None, "io_uring_enter(2) failed"),
        ] {
            let sentence = refused(call, errno, disabled);
            assert!(sentence.contains(says), "{call:?} {errno}: {sentence}");
        }
    }

    #[test]
    fn a_kernel_that_is_too_old_is_named() {
        let sentence = refused(Call::Setup, Errno::INVAL, None);
        assert!(sentence.contains("5.15.0-generic"), "{sentence}");
    }
}
