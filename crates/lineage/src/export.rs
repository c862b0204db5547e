//! Placeholder until the exports are here.
