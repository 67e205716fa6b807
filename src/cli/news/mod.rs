//! `news`: the tutorial's datagrams, one file per command.

mod cut;
mod doctor;
mod done;
mod ending;
mod flags;
mod pace;
mod receive;
mod send;
mod source;
mod stdout;
mod told;
mod words;

use super::WrongUse;
use super::args::{News, Verbosity};
use guardhouse::datagram::DatagramError;

pub(crate) fn run(news: &News, verbosity: Verbosity) -> anyhow::Result<()> {
    let done = match news {
        News::Send(args) => send::run(args, verbosity),
        News::Receive(args) => receive::run(args, verbosity),
        News::Doctor(args) => doctor::run(args),
    };
    done.map_err(|error| match error.downcast_ref::<DatagramError>() {
        Some(cause) if cause.is_wrong_use() => {
            let flags = flags::at_fault(news, cause);
            let flags = flags.map_or_else(String::new, |flags| format!("{flags}: "));
            WrongUse(format!("{flags}{error:#}")).into()
        }
        _ => error,
    })
}
