//! Owns what is taken out of records and runs before anything is written: secrets in errors, by
//! default, and whatever the user's own hook takes out.

use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::LazyLock;

use regex::{Regex, RegexBuilder};
use selvedge_event::{Outcome, Text};

use crate::error::PatternError;
use crate::record::Record;
use crate::run::Run;

/// Changes what is about to be written. It is called once for each record and for each time that a
/// run is written; what it takes out is nowhere afterwards.
pub trait Redact: Send + Sync + Debug {
    /// Takes out of a record what must not be kept.
    fn record(&self, record: &mut Record);

    /// Takes out of a run what must not be kept.
    fn run(&self, run: &mut Run);
}

/// Takes nothing out.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeepAll;

impl Redact for KeepAll {
    fn record(&self, _record: &mut Record) {}
    fn run(&self, _run: &mut Run) {}
}

/// Masks what looks like a secret in errors, reasons, tags and triggers.
///
/// The default patterns know user and password in an address, `Authorization` headers, assignments
/// to names such as `password` or `api_key`, private keys in PEM, JSON web tokens, and the tokens
/// of common services by their prefixes. No pattern knows all secrets: pass your own as well.
///
/// ```
/// use selvedge_lineage::Masks;
/// let masks = Masks::default().with(r"card \d{16}")?;
/// let error = "postgres://bob:hunter2@db/shop refused: card 4111111111111111";
/// assert_eq!(masks.masked(error), "postgres://***@db/shop refused: ***");
/// # Ok::<(), selvedge_lineage::PatternError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Masks(Vec<Regex>);

/// What a pattern's named groups `before` and `after` match is kept.
const DEFAULTS: [&str; 7] = [
    r"(?<before>[a-z][a-z0-9+.-]*://)[^\s/@]+(?<after>@)",
    concat!(
        r#"(?i)(?<before>\bauthorization["']?\s*[:=]\s*["']?)"#,
        r#"(?:(?:basic|bearer|token|digest)\s+)?[^\s"',;]+"#,
    ),
    r"(?i)(?<before>\bbearer\s+)[a-z0-9._~+/=-]{8,}",
    concat!(
        r#"(?i)(?<before>[a-z0-9_-]*(?:password|passwd|pwd|passphrase|secret|token|api[_-]?key"#,
        r#"|access[_-]?key|private[_-]?key|credential)[a-z0-9_-]*["']?\s*[:=]\s*)"#,
        r#"(?:"[^"]*"|'[^']*'|[^\s"',;&}\])]+)"#,
    ),
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)",
    r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*",
    concat!(
        r"\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}",
        r"|glpat-[A-Za-z0-9_-]{16,}|xox[abprs]-[A-Za-z0-9-]{10,}|sk-[A-Za-z0-9_-]{16,}",
        r"|AIza[A-Za-z0-9_-]{30,})",
    ),
];
/// What a text of this size at most can hold as a compiled pattern; the default ones need less.
const PATTERN_BYTES_MAX: usize = 1 << 20;

impl Masks {
    /// Masks what a regular expression matches, too, but for its groups `before` and `after`.
    ///
    /// # Errors
    ///
    /// The expression is none, or takes more than 1 MiB when compiled.
    pub fn with(mut self, pattern: &str) -> Result<Masks, PatternError> {
        let compiled = RegexBuilder::new(pattern).size_limit(PATTERN_BYTES_MAX).build();
        self.0.push(compiled.map_err(|problem| PatternError {
            pattern: pattern.to_owned(),
            problem: problem.to_string(),
        })?);
        Ok(self)
    }

    /// A text without its secrets. Takes time linear in the text for each pattern.
    #[must_use]
    pub fn masked<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut masked = Cow::Borrowed(text);
        for pattern in &self.0 {
            let replaced = pattern.replace_all(&masked, |found: &regex::Captures<'_>| {
                let kept = |name| found.name(name).map_or("", |group| group.as_str());
                format!("{}***{}", kept("before"), kept("after"))
            });
            if let Cow::Owned(replaced) = replaced {
                masked = Cow::Owned(replaced);
            }
        }
        masked
    }

    fn mask_text(&self, text: &mut Text) {
        if let Cow::Owned(masked) = self.masked(text) {
            *text = Text::from(masked.as_str());
        }
    }
}

impl Default for Masks {
    fn default() -> Masks {
        // Compiling them takes milliseconds, sharing them nothing.
        static COMPILED: LazyLock<Vec<Regex>> = LazyLock::new(|| {
            let compile =
                |pattern: &&str| Regex::new(pattern).expect("a test compiles each pattern");
            DEFAULTS.iter().map(compile).collect()
        });
        Masks(COMPILED.clone())
    }
}

impl Redact for Masks {
    fn record(&self, record: &mut Record) {
        if let Outcome::Failed { error: text, .. } | Outcome::Skipped { reason: text } =
            &mut record.outcome
            && let Cow::Owned(masked) = self.masked(text)
        {
            *text = masked;
        }
    }

    fn run(&self, run: &mut Run) {
        if let Some(end) = &mut run.end
            && let Outcome::Failed { error: text, .. } | Outcome::Skipped { reason: text } =
                &mut end.outcome
            && let Cow::Owned(masked) = self.masked(text)
        {
            *text = masked;
        }
        run.trigger.iter_mut().for_each(|trigger| self.mask_text(trigger));
        run.tags.values_mut().for_each(|value| self.mask_text(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_pattern_is_told() {
        let error = Masks::default().with("card (").unwrap_err();
        insta::assert_snapshot!(error.to_string().lines().next().unwrap_or(""), @"`card (` is no pattern to mask: regex parse error:");
    }

    #[test]
    fn what_looks_like_a_secret_is_masked_and_nothing_else() {
        let masks = Masks::default();
        let lines = [
            "postgres://bob:hunter2@db:5432/shop: connection refused",
            "GET https://shop.example/orders?page=2 answered 500",
            "https://shop.example/a?api_key=abc123&page=2",
            "Authorization: Bearer abc.def-ghi",
            r#"{"authorization": "Basic Ym9iOmh1bnRlcjI="}"#,
            "password=hunter2, user=bob",
            r#"DB_PASSWORD: "hunter 2" and more"#,
            "the token was refused",
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nrest",
            "jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJib2IifQ.c2ln rejected",
            "aws AKIAIOSFODNN7EXAMPLE, git ghp_abcdefghijklmnopqrstuvwxyz",
            "step `tokenize`: expected a word at line 3",
        ];
        let masked: Vec<_> = lines.iter().map(|line| masks.masked(line)).collect();
        insta::assert_snapshot!(masked.join("\n"), @r#"
        postgres://***@db:5432/shop: connection refused
        GET https://shop.example/orders?page=2 answered 500
        https://shop.example/a?api_key=***&page=2
        Authorization: ***
        {"authorization": "***"}
        password=***, user=bob
        DB_PASSWORD: *** and more
        the token was refused
        ***
        rest
        jwt *** rejected
        aws ***, git ***
        step `tokenize`: expected a word at line 3
        "#);
    }
}
