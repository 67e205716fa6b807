//! Carries out a plan: a server in a process of its own, real clients, one cell after the other.

use super::child::{ServerError, ServerProcess};
use super::cpu;
use super::plan::{Cell, Plan, Workload};
use super::report::{Row, Sample, Setup};
use crate::load::{Idle, Load, LoadError, Shape, Stop, Traffic};
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
        let alone = cells.iter().position(|&other| other == cell.without_idle());
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
    let args = cell.serve_args(setup.clients, setup.tuning);
    let server = ServerProcess::start(program, &args, !cell.model.shares_memory())
        .map_err(|error: ServerError| error.to_string())?;
    let outcome = load(cell, setup, &server, interrupt);
    outcome.map_err(|error| match server.complaint() {
        Some(complaint) => format!("{error}; the server said: {complaint}"),
        None => error.to_string(),
    })
}

fn load(
    cell: Cell,
    setup: &Setup,
    server: &ServerProcess,
    interrupt: &Arc<AtomicBool>,
) -> Result<Sample, LoadError> {
    let traffic = match cell.workload {
        Workload::Echo => Traffic::Echo,
        Workload::Chat => Traffic::Chat {
            talkers: setup.talkers,
        },
    };
    let shape = Shape {
        message: setup.message_bytes,
        ..Shape::new(setup.clients, traffic)
    };
    let mut load = Load::connect_unless(server.addr(), shape, Arc::clone(interrupt))?;
    let warm_up = Stop::After(Duration::from_secs_f64(setup.warm_up_s));
    let mut idle = None;
    let mut idle_client_bytes = None;
    if cell.idle > 0 {
        // What those who talk need is not to be counted for those who do not.
        load.run(warm_up)?;
        let before = server.memory();
        let shape = Shape {
            clients: cell.idle,
            ..shape
        };
        idle = Some(Idle::connect_unless(server.addr(), shape, interrupt)?);
        idle_client_bytes = server
            .memory()
            .zip(before)
            .map(|(after, before)| after.saturating_sub(before) as f64 / cell.idle as f64);
    }
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
