//! Owns how text of unknown origin is shown: what can't be seen is made visible, and what is long
//! is cut.
//!
//! Names may come from files. One that holds an escape sequence, a change of direction or nothing
//! but blanks must not be able to disguise itself in a message or a drawing.

use std::fmt::{self, Write as _};

/// How much of a name a message shows, in characters.
const MESSAGE_CHARS_MAX: usize = 64;

/// Text as it may be shown: on one line, every character visible, cut at a number of characters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Visible<'t> {
    text: &'t str,
    chars_max: usize,
}

impl<'t> Visible<'t> {
    pub(crate) fn new(text: &'t str, chars_max: usize) -> Visible<'t> {
        Visible { text, chars_max }
    }

    pub(crate) fn in_message(text: &'t str) -> Visible<'t> {
        Visible::new(text, MESSAGE_CHARS_MAX)
    }
}

impl fmt::Display for Visible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.text.is_empty() {
            return f.write_str("(empty)");
        }
        // Blanks at an end are as good as invisible.
        let begins = self.text.len() - self.text.trim_start_matches(' ').len();
        let ends = self.text.trim_end_matches(' ').len();
        for (n_shown, (at, c)) in self.text.char_indices().enumerate() {
            if n_shown == self.chars_max {
                return f.write_char('…');
            }
            match c {
                ' ' if at < begins || at >= ends => f.write_char('␣')?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                _ if is_hidden(c) => write!(f, "{}", c.escape_unicode())?,
                _ => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Characters that leave no mark, or change how their neighbours are shown.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || (c.is_whitespace() && c != ' ')
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_made_visible() {
        let shown = |text: &str| Visible::in_message(text).to_string();
        assert_eq!(shown("plain name"), "plain name");
        assert_eq!(shown(""), "(empty)");
        assert_eq!(shown("  "), "␣␣");
        assert_eq!(shown(" a b "), "␣a b␣");
        assert_eq!(shown("a\nb\tc\r"), r"a\nb\tc\r");
        assert_eq!(shown("\u{1b}[31mred"), r"\u{1b}[31mred");
        assert_eq!(shown("abc\u{202e}cba"), r"abc\u{202e}cba");
        assert_eq!(shown("\u{200b}\u{feff}\u{a0}"), r"\u{200b}\u{feff}\u{a0}");
        assert_eq!(shown(&"x".repeat(100)), format!("{}…", "x".repeat(64)));
    }
}
