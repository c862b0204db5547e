//! Owns the closed vocabulary of drawings: shapes of nodes, styles of edges, classes, directions.

use serde::Serialize;

/// The outline of a node in a drawing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Shape {
    /// A rectangle.
    #[default]
    Rectangle,
    /// A rectangle with round corners.
    Rounded,
    /// A rectangle with half circles for its sides: where something begins or ends.
    Stadium,
    /// A rectangle with double sides: a part that is a graph itself.
    Subroutine,
    /// A cylinder: something that is stored.
    Cylinder,
    /// A circle.
    Circle,
    /// A double circle.
    DoubleCircle,
    /// A diamond: a decision.
    Diamond,
    /// A hexagon: a preparation.
    Hexagon,
    /// A parallelogram: input or output.
    Parallelogram,
    /// A trapezoid: something done by hand.
    Trapezoid,
    /// A stack of rectangles: the same done many times.
    Stack,
}

/// The line of an edge in a drawing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EdgeStyle {
    /// A plain line.
    #[default]
    Solid,
    /// A dotted line; feedback is always drawn so.
    Dotted,
    /// A thick line.
    Thick,
}

/// What became of a node, as a drawing colours it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Class {
    /// It did what it should.
    Ok,
    /// It failed.
    Err,
    /// It was left out.
    Skipped,
    /// Its value was taken from an earlier run.
    Reused,
    /// It is under way.
    Running,
    /// It has not begun.
    Waiting,
    /// It was called off.
    Cancelled,
    /// It needs a look.
    Warning,
}

impl Class {
    /// Every class, in the order in which drawings define them.
    pub const ALL: [Class; 8] = [
        Class::Ok,
        Class::Err,
        Class::Skipped,
        Class::Reused,
        Class::Running,
        Class::Waiting,
        Class::Cancelled,
        Class::Warning,
    ];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Ok => "ok",
            Class::Err => "err",
            Class::Skipped => "skipped",
            Class::Reused => "reused",
            Class::Running => "running",
            Class::Waiting => "waiting",
            Class::Cancelled => "cancelled",
            Class::Warning => "warning",
        }
    }

    /// Colours of the inside and of the line, as `#rrggbb`, for a dark text.
    pub(crate) fn colours(self) -> (&'static str, &'static str) {
        match self {
            Class::Ok => ("#d3f2d3", "#2e7d32"),
            Class::Err => ("#fbd5d5", "#c62828"),
            Class::Skipped => ("#eeeeee", "#9e9e9e"),
            Class::Reused => ("#d6e6fb", "#1565c0"),
            Class::Running => ("#fff3c4", "#f9a825"),
            Class::Waiting => ("#ffffff", "#9e9e9e"),
            Class::Cancelled => ("#e6dcef", "#6a1b9a"),
            Class::Warning => ("#ffe0b8", "#ef6c00"),
        }
    }
}

/// Which way a drawing runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Direction {
    /// From top to bottom.
    #[default]
    Down,
    /// From left to right.
    Right,
}
