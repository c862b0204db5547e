//! Owns nodes that are computed by the threads of a rayon pool.

use std::sync::Arc;

use anyhow::Result;
use rayon::ThreadPool;

use super::{Executor, Work};

/// The threads of a rayon pool, for work that computes for long and does not wait: the items of a
/// map above all. The run's workers stay free for everything else; a pool may be shared by any
/// number of nodes, flows and others.
///
/// ```
/// use std::sync::Arc;
/// use selvedge_flow::{Flow, Pool, Request, map};
///
/// let pool = Arc::new(rayon::ThreadPoolBuilder::new().num_threads(2).build()?);
/// let mut flow = Flow::builder("squares");
/// let list = flow.parameter_or("list", (0..100_u64).collect::<Vec<_>>());
/// let squares = map(list, (), |n: &u64| Ok(n * n)).runs_on(Pool::new(pool));
/// let squares = flow.add("squares", squares);
/// assert_eq!(flow.build()?.run(Request::new())?.value(squares)?[99], 99 * 99);
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pool(Arc<ThreadPool>);

impl Pool {
    /// These threads.
    #[must_use]
    pub fn new(pool: Arc<ThreadPool>) -> Pool {
        Pool(pool)
    }
}

impl Executor for Pool {
    fn execute(&self, work: Work) -> Result<()> {
        self.0.spawn(move || work.compute());
        Ok(())
    }
}
