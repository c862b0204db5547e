//! Owns what a legal name is, in one place for all that names nodes.

mod nearest;
mod table;

use thiserror::Error;

pub use nearest::suggestion;
pub(crate) use nearest::{Nearest, did_you_mean, free_like};
pub(crate) use table::NameTable;

use crate::text::Visible;

/// What a node may be called.
///
/// ```
/// use selvedge_topology::{NameFault, NameRules};
///
/// let rules = NameRules::identifiers().reserve("sys:");
/// assert_eq!(rules.check("load.users:v2"), Ok(()));
/// assert_eq!(rules.check("load users"), Err(NameFault::Character { c: ' ', at: 4 }));
/// assert!(rules.check("sys:clock").is_err());
/// assert_eq!(rules.mended("load users").as_deref(), Some("load-users"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameRules {
    bytes_max: usize,
    /// Allowed beside letters and digits of ASCII; `None` allows everything.
    also: Option<String>,
    reserved: Vec<String>,
}

/// The longest name that rules allow unless told otherwise, in bytes.
const BYTES_MAX: usize = 256;

impl Default for NameRules {
    fn default() -> NameRules {
        NameRules::identifiers()
    }
}

impl NameRules {
    /// 1 to 256 of `A`–`Z`, `a`–`z`, `0`–`9`, `_`, `-`, `.` and `:`.
    #[must_use]
    pub fn identifiers() -> NameRules {
        NameRules { bytes_max: BYTES_MAX, also: Some("_-.:".to_owned()), reserved: Vec::new() }
    }

    /// 1 to 256 bytes of anything. Drawings and messages stay safe: they escape names.
    #[must_use]
    pub fn free() -> NameRules {
        NameRules { bytes_max: BYTES_MAX, also: None, reserved: Vec::new() }
    }

    /// Allows these characters too, as `[]` for the items of a map.
    #[must_use]
    pub fn allow(mut self, characters: &str) -> NameRules {
        if let Some(also) = &mut self.also {
            also.push_str(characters);
        }
        self
    }

    /// Keeps names that begin so for the layer that draws up the rules.
    #[must_use]
    pub fn reserve(mut self, prefix: &str) -> NameRules {
        self.reserved.push(prefix.to_owned());
        self
    }

    /// Allows names of at most so many bytes.
    #[must_use]
    pub fn bytes_max(mut self, bytes_max: usize) -> NameRules {
        self.bytes_max = bytes_max;
        self
    }

    /// Whether a name is legal.
    ///
    /// # Errors
    ///
    /// The first rule that the name breaks.
    pub fn check(&self, name: &str) -> Result<(), NameFault> {
        if name.is_empty() {
            return Err(NameFault::Empty);
        }
        if name.len() > self.bytes_max {
            return Err(NameFault::TooLong { bytes: name.len(), bytes_max: self.bytes_max });
        }
        if let Some((at, c)) = name.char_indices().find(|&(_, c)| !self.allows(c)) {
            return Err(NameFault::Character { c, at });
        }
        match self.reserved.iter().find(|prefix| name.starts_with(prefix.as_str())) {
            Some(prefix) => Err(NameFault::Reserved { prefix: prefix.clone() }),
            None => Ok(()),
        }
    }

    /// The legal name that is most like this one, if there is one; the name itself if it is legal.
    #[must_use]
    pub fn mended(&self, name: &str) -> Option<String> {
        let mut rest = name;
        while let Some(prefix) =
            self.reserved.iter().find(|prefix| !prefix.is_empty() && rest.starts_with(*prefix))
        {
            rest = &rest[prefix.len()..];
        }
        let mut mended = String::new();
        // A run of characters that can't stay becomes one dash between what can.
        let mut is_gap = false;
        for c in rest.chars() {
            if !self.allows(c) {
                is_gap = !mended.is_empty();
                continue;
            }
            let gap = usize::from(is_gap);
            if mended.len() + gap + c.len_utf8() > self.bytes_max {
                break;
            }
            if is_gap {
                mended.push('-');
                is_gap = false;
            }
            mended.push(c);
        }
        self.check(&mended).is_ok().then_some(mended)
    }

    fn allows(&self, c: char) -> bool {
        match &self.also {
            Some(also) => c.is_ascii_alphanumeric() || also.contains(c),
            None => true,
        }
    }
}

/// What is wrong with a name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameFault {
    /// It has no characters.
    #[error("a name has at least one character")]
    Empty,
    /// It has too many bytes.
    #[error("it has {bytes} bytes, {bytes_max} are allowed")]
    TooLong {
        /// The bytes that it has.
        bytes: usize,
        /// The bytes that it may have.
        bytes_max: usize,
    },
    /// A character is not allowed.
    #[error("`{}` (byte {at}) is not allowed in a name", Visible::in_message(&.c.to_string()))]
    Character {
        /// The character.
        c: char,
        /// The byte at which it stands.
        at: usize,
    },
    /// It begins like names that are not for users.
    #[error("names that begin with `{prefix}` are reserved")]
    Reserved {
        /// How it begins.
        prefix: String,
    },
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::prelude::*;

    use super::*;

    fn verdicts(rules: &NameRules, names: &[&str]) -> String {
        let verdict = |name: &&str| {
            let shown = Visible::new(name, 12);
            let mended = rules
                .mended(name)
                .map_or_else(|| "-".to_owned(), |name| Visible::new(&name, 12).to_string());
            match rules.check(name) {
                Ok(()) => format!("{shown}: fine\n"),
                Err(fault) => format!("{shown}: {fault}; mended: {mended}\n"),
            }
        };
        names.iter().map(verdict).collect()
    }

    #[test]
    fn identifiers_are_plain() {
        let rules = NameRules::identifiers().reserve("sys:").allow("[]");
        let long = "x".repeat(257);
        let names = [
            "load",
            "a.b-c_d:e",
            "users[3]",
            "",
            " ",
            "a b",
            "a\n",
            "two  gaps ",
            "a/b",
            "größe",
            "\u{1b}[0m",
            "\u{202e}",
            "sys:clock",
            "sys:",
            "sys:sys:a",
            &long,
        ];
        assert_snapshot!(verdicts(&rules, &names), @r"
        load: fine
        a.b-c_d:e: fine
        users[3]: fine
        (empty): a name has at least one character; mended: -
        ␣: `␣` (byte 0) is not allowed in a name; mended: -
        a b: `␣` (byte 1) is not allowed in a name; mended: a-b
        a\n: `\n` (byte 1) is not allowed in a name; mended: a
        two  gaps␣: `␣` (byte 3) is not allowed in a name; mended: two-gaps
        a/b: `/` (byte 1) is not allowed in a name; mended: a-b
        größe: `ö` (byte 2) is not allowed in a name; mended: gr-e
        \u{1b}[0m: `\u{1b}` (byte 0) is not allowed in a name; mended: [0m
        \u{202e}: `\u{202e}` (byte 0) is not allowed in a name; mended: -
        sys:clock: names that begin with `sys:` are reserved; mended: clock
        sys:: names that begin with `sys:` are reserved; mended: -
        sys:sys:a: names that begin with `sys:` are reserved; mended: a
        xxxxxxxxxxxx…: it has 257 bytes, 256 are allowed; mended: xxxxxxxxxxxx…
        ");
    }

    #[test]
    fn free_names_are_short_and_not_empty() {
        let rules = NameRules::free().bytes_max(8).reserve("#");
        assert_snapshot!(verdicts(&rules, &["any thing", "a\nb", "", "#1", "größer!"]), @r"
        any thing: it has 9 bytes, 8 are allowed; mended: any thin
        a\nb: fine
        (empty): a name has at least one character; mended: -
        #1: names that begin with `#` are reserved; mended: 1
        größer!: it has 9 bytes, 8 are allowed; mended: größer
        ");
    }

    proptest! {
        #[test]
        fn a_mended_name_is_legal(name in ".{0,20}") {
            let rules = NameRules::identifiers().bytes_max(10).reserve("a").reserve("-");
            if let Some(mended) = rules.mended(&name) {
                prop_assert_eq!(rules.check(&mended), Ok(()));
            }
            if rules.check(&name).is_ok() {
                prop_assert_eq!(rules.mended(&name), Some(name));
            }
        }
    }
}
