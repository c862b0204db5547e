//! Owns what is said of how a builder goes on after a build that failed.

use super::Builder;
use crate::build::Build;

impl<B: Build> Builder<B> {
    /// Clones its own state before every build and every hook, and puts it back after one that
    /// failed or panicked: so it can go on, and build again from the same, under
    /// [`Skip`](selvedge_runtime::FailurePolicy::Skip) and [`Retry`](selvedge_runtime::Retry). What
    /// it remembers of its inputs is not part of that state, and is not cloned.
    ///
    /// ```
    /// use selvedge_reactive::{Build, Out, Reactive, Refs, builder_of};
    /// use selvedge_runtime::{FailurePolicy, Pipeline, Result};
    ///
    /// /// Adds up.
    /// #[derive(Clone)]
    /// struct Sum(u64);
    ///
    /// impl Build for Sum {
    ///     type Arguments = (u64,);
    ///     type Made = u64;
    ///
    ///     fn build(&mut self, out: &mut Out<'_, '_, u64>, (n,): Refs<'_, (u64,)>) -> Result {
    ///         self.0 += n;
    ///         assert!(*n != 2, "two is too much");
    ///         out.emit(self.0);
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let mut graph = Reactive::new("sums");
    /// let numbers = graph.source("numbers", [1_u64, 2, 3]);
    /// let sums = builder_of("sums", &numbers, Sum(0)).restored_by_clone();
    /// let sums = graph.add(sums.on_failure(FailurePolicy::Skip));
    /// let seen = graph.collect(&sums);
    /// graph.install(Pipeline::builder())?.build()?.run()?;
    /// assert_eq!(seen.values(), [1, 4]); // The two that failed is in no sum.
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn restored_by_clone(mut self) -> Builder<B>
    where
        B: Clone,
    {
        self.mend.by_clone(B::clone);
        self
    }

    /// Says how to make its state anew, for a [`Restart`](selvedge_runtime::Restart): after a build
    /// that failed it goes on with a new one. The stream goes on too, and inputs that were built
    /// from before stay known: a restart builds nothing twice.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use selvedge_reactive::{Build, Out, Reactive, Refs, builder_of};
    /// # use selvedge_runtime::{Pipeline, Restart, Result};
    /// # struct Sum(u64);
    /// # impl Build for Sum {
    /// #     type Arguments = (u64,);
    /// #     type Made = u64;
    /// #     fn build(&mut self, out: &mut Out<'_, '_, u64>, (n,): Refs<'_, (u64,)>) -> Result {
    /// #         self.0 += n;
    /// #         assert!(*n != 2, "two is too much");
    /// #         out.emit(self.0);
    /// #         Ok(())
    /// #     }
    /// # }
    /// let mut graph = Reactive::new("sums");
    /// let numbers = graph.source("numbers", [1_u64, 2, 3, 1]);
    /// let sums = builder_of("sums", &numbers, Sum(0)).restarted_by(|| Sum(100));
    /// let sums = graph.add(sums.on_failure(Restart::at_most(1, Duration::from_secs(1))));
    /// let seen = graph.collect(&sums);
    /// graph.install(Pipeline::builder())?.build()?.run()?;
    /// assert_eq!(seen.values(), [1, 103]);
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn restarted_by(mut self, factory: impl FnMut() -> B + Send + 'static) -> Builder<B> {
        self.mend.by(Box::new(factory));
        self
    }
}
