//! Questions of a history against the same ones of a list of records, with loops.
