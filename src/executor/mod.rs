//! Executors: what hands jobs to the threads behind a model.

/// What hands jobs to worker threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Executor {
    /// One queue that all workers take from.
    #[default]
    Channel,
    /// A queue per worker; who has nothing to do steals from the others.
    Stealing,
    /// A pool of rayon's threads.
    Rayon,
}

impl Executor {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Channel, Self::Stealing, Self::Rayon];

    /// As `--executor` calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Channel => "channel",
            Self::Stealing => "stealing",
            Self::Rayon => "rayon",
        }
    }
}
