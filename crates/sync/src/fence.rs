//! Owns fences of which one side is free: the one that is passed often costs nothing, the one
//! that is passed once in a while makes up for it.
//!
//! A pair of threads that each store, pass a fence and load what the other stores can't both miss
//! the other's store. With [`light`] on one side and [`heavy`] on the other that holds too, because
//! the heavy one makes every running thread of the process pass a full fence. (D. Goldblatt,
//! "P1202: Asymmetric fences", 2018; Linux' `membarrier`.)

/// Keeps the compiler from moving a load before a store; the processor is left to [`heavy`].
#[inline(always)]
pub fn light() {
    #[cfg(not(any(loom, shuttle)))]
    std::sync::atomic::compiler_fence(std::sync::atomic::Ordering::SeqCst);
    #[cfg(any(loom, shuttle))]
    crate::atomic::fence(crate::atomic::Ordering::SeqCst);
}

/// A fence for this thread and every other of the process; takes some microseconds. `false` where
/// the system has none (anything but Linux from 4.14 on): nothing is promised then.
#[must_use]
pub fn heavy() -> bool {
    #[cfg(any(loom, shuttle))]
    {
        crate::atomic::fence(crate::atomic::Ordering::SeqCst);
        true
    }
    #[cfg(not(any(loom, shuttle)))]
    everywhere()
}

#[cfg(all(target_os = "linux", not(any(loom, shuttle))))]
fn everywhere() -> bool {
    use rustix::thread::{MembarrierCommand, membarrier};

    // The first of these makes the second one legal, and does nothing when done again.
    membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok()
        && membarrier(MembarrierCommand::PrivateExpedited).is_ok()
}

#[cfg(all(not(target_os = "linux"), not(any(loom, shuttle))))]
fn everywhere() -> bool {
    false
}

#[cfg(all(test, target_os = "linux", not(any(loom, shuttle))))]
mod tests {
    #[test]
    fn linux_has_one() {
        assert!(super::heavy());
        assert!(super::heavy(), "again");
    }
}
