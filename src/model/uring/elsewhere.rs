//! What stands in for the proactor where there is no io_uring(7).

use crate::model::loops::Entrance;
use crate::model::{Context, Unsupported};
use std::env::consts::{ARCH, OS};
use std::io;

pub(super) fn check() -> Result<(), Unsupported> {
    Err(Unsupported(format!(
        "io_uring(7) is Linux's, on x86-64, aarch64, riscv64, loongarch64 and powerpc64; this is {OS} on {ARCH}"
    )))
}

pub(super) fn run(_: Entrance<'_>, _: Context<'_>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
