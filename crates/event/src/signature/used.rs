//! Owns `Used`: what is known of a function that others call.

use serde::Serialize;

/// The code of a function, and of those that it uses in turn. `#[signed]` writes it beside the
/// function, `uses(…)` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Used {
    code: [u8; 32],
    uses: &'static [&'static Used],
}

impl Used {
    /// The hash that a macro took of a function, and what that uses.
    #[must_use]
    pub const fn of_code(code: [u8; 32], uses: &'static [&'static Used]) -> Used {
        Used { code, uses }
    }
}
