//! Carries out a plan: a server in a process of its own, real clients, one cell after the other.

use super::child::{ServerError, ServerProcess};
use super::cpu;
use super::plan::{Cell, Plan, Workload};
use super::report::{Row, Sample, Setup};
use crate::load::{Idle, Load, LoadError, Shape, Stalled, Stop, Traffic};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use thiserror::Error;

/// Why comparing ended early.
#[derive(Debug, Error)]
pub enum LabError {
    /// A cell could not be measured.
    #[error("{cell}: {why}")]
    Cell {
        /// Which.
        cell: Cell,
        /// Why not.
        why: String,
    },
    /// Whoever started it said to stop. No server is left running.
    #[error("interrupted; no server is left running")]
    Interrupted,
}

/// Measures every cell of `plan` in every round; `program` is the `guardhouse` whose `serve` is measured.
/// Tells `progress` before each measurement which cell comes. Ends early, with no server left
/// running, when `interrupt` is set.
///
/// # Errors
/// [`LabError`] when a server does not start or stops serving, or on interruption. Lost and torn messages are
/// no error here: they are in the rows.
pub fn run(
    plan: &Plan,
    setup: &Setup,
    program: &Path,
    interrupt: &Arc<AtomicBool>,
    mut progress: impl FnMut(Cell),
) -> Result<Vec<Row>, LabError> {
    let mut samples = vec![Vec::new(); plan.cells().len()];
    for index in plan.order().into_iter().flatten() {
        let cell = plan.cells()[index];
        progress(cell);
        let sample = measure(cell, setup, program, interrupt);
        // A signal to the whole process group ends the server, too: whatever symptom that showed as.
        if interrupt.load(Ordering::Relaxed) {
            return Err(LabError::Interrupted);
        }
        samples[index].push(sample.map_err(|why| LabError::Cell { cell, why })?);
    }
    let cells = plan.cells();
    let rows = cells.iter().zip(&samples).filter_map(|(&cell, own)| {
        let alone = cells.iter().position(|&other| other == cell.alone());
        Row::of(cell, own, alone.map(|index| &*samples[index]))
    });
    Ok(rows.collect())
}

fn measure(
    cell: Cell,
    setup: &Setup,
    program: &Path,
    interrupt: &Arc<AtomicBool>,
) -> Result<Sample, String> {
    // The workers of the idle are there before the idle come, and are a part of what they cost.
    let without_their_workers = if cell.idle > 0 && cell.model.keeps_workers() {
        let alone = cell.alone();
        on_a_server(alone, setup, program, |server| {
            memory_of_the_talkers(alone, setup, server, interrupt)
        })?
    } else {
        None
    };
    on_a_server(cell, setup, program, |server| {
        load(cell, setup, server, interrupt, without_their_workers)
    })
}

/// Starts the server of `cell` for as long as `work` takes.
fn on_a_server<T>(
    cell: Cell,
    setup: &Setup,
    program: &Path,
    work: impl FnOnce(&ServerProcess) -> Result<T, LoadError>,
) -> Result<T, String> {
    let args = cell.serve_args(setup.clients, setup.tuning);
    let server = ServerProcess::start(program, &args, !cell.model.shares_memory())
        .map_err(|error: ServerError| error.to_string())?;
    work(&server).map_err(|error| match server.complaint() {
        Some(complaint) => format!("{error}; the server said: {complaint}"),
        None => error.to_string(),
    })
}

fn shape(cell: Cell, setup: &Setup) -> Shape {
    let traffic = match cell.workload {
        Workload::Echo => Traffic::Echo,
        Workload::Chat => Traffic::Chat {
            talkers: setup.talkers,
        },
    };
    Shape {
        message: setup.message_bytes,
        ..Shape::new(setup.clients, traffic)
    }
}

fn warm_up(setup: &Setup) -> Stop {
    Stop::After(Duration::from_secs_f64(setup.warm_up_s))
}

/// So much that what waits for whoever reads nothing is as much as ever will, by default.
const FILLING: usize = 512 * 1024;

/// What a server uses for those who talk, once they have.
fn memory_of_the_talkers(
    cell: Cell,
    setup: &Setup,
    server: &ServerProcess,
    interrupt: &Arc<AtomicBool>,
) -> Result<Option<u64>, LoadError> {
    let shape = shape(cell, setup);
    let mut load = Load::connect_unless(server.addr(), shape, Arc::clone(interrupt))?;
    load.run(warm_up(setup))?;
    Ok(server.memory())
}

/// `without_their_workers`: the memory of a server that has none for the idle, where they keep one each.
fn load(
    cell: Cell,
    setup: &Setup,
    server: &ServerProcess,
    interrupt: &Arc<AtomicBool>,
    without_their_workers: Option<u64>,
) -> Result<Sample, LoadError> {
    let shape = shape(cell, setup);
    let mut load = Load::connect_unless(server.addr(), shape, Arc::clone(interrupt))?;
    let warm_up = warm_up(setup);
    let mut idle = None;
    let mut idle_client_bytes = None;
    if cell.idle > 0 {
        // What those who talk need is not to be counted for those who do not.
        load.run(warm_up)?;
        let before = without_their_workers.or_else(|| server.memory());
        let shape = Shape {
            clients: cell.idle,
            ..shape
        };
        idle = Some(Idle::connect_unless(server.addr(), shape, interrupt)?);
        idle_client_bytes = server
            .memory()
            .zip(before)
            .map(|(after, before)| (after as f64 - before as f64) / cell.idle as f64);
    }
    let _stalled = if cell.stalled > 0 {
        let shape = Shape {
            clients: cell.stalled,
            ..shape
        };
        let stalled = Stalled::connect_unless(server.addr(), shape, interrupt)?;
        let lines = FILLING.div_ceil(setup.message_bytes);
        load.run(Stop::Messages(lines as u64))?;
        Some(stalled)
    } else {
        None
    };
    load.run(warm_up)?;

    let here = std::process::id();
    let before = (server.cpu(), cpu::used_by(here));
    let measured = load.run(Stop::After(Duration::from_secs_f64(setup.duration_s)))?;
    let after = (server.cpu(), cpu::used_by(here));
    if let Some(idle) = idle {
        idle.look()?;
    }

    let used = |before: Option<Duration>, after: Option<Duration>| {
        Some(after?.saturating_sub(before?).as_secs_f64())
    };
    Ok(Sample {
        measured,
        server_cpu_s: used(before.0, after.0),
        generator_cpu_s: used(before.1, after.1),
        idle_client_bytes,
    })
}
