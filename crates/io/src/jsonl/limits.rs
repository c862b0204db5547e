//! Owns the limits of reading and writing JSON Lines: every buffer and every turn has one.

/// How deep a line may nest: 127 arrays and objects in one another.
///
/// `serde_json` stops at its recursion limit of 128, so that no line can exhaust the stack. A
/// writer refuses what a reader would refuse. Values that a typed payload ignores are passed over
/// without recursion and have no limit but the line's length.
pub const DEPTH_MAX: u32 = 127;

/// The buffer in front of a file, and the one behind a decompressor.
pub(crate) const BUFFER_BYTES: usize = 256 * 1024;

/// How much a source or a sink takes at a time.
///
/// ```
/// use selvedge_io::jsonl::Limits;
/// let limits = Limits { line_bytes_max: 1 << 20, ..Limits::default() };
/// assert_eq!(limits.pull_bytes_max, 1 << 20);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest line, in bytes without its line end. Reading or writing holds at most one line
    /// in memory, besides buffers of fixed size. Default: 16 MiB.
    pub line_bytes_max: usize,
    /// How many bytes, after decompression, one pull reads before it lets others have the worker;
    /// the line under way is finished. Default: 1 MiB.
    pub pull_bytes_max: u64,
    /// How many further [`Load`](super::Load)s wait while a source is loading. Default: 16.
    pub loads_waiting_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { line_bytes_max: 16 << 20, pull_bytes_max: 1 << 20, loads_waiting_max: 16 }
    }
}
