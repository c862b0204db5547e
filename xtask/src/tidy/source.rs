//! One Rust file, with its comments and strings told from its code. A lexer for three kinds of
//! text, no parser.

use std::ops::Range;

/// A Rust file in three views of equal length, so that an offset in one is an offset in all.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: String,
    pub(super) text: String,
    /// Comments and literals are blanked.
    pub(super) code: String,
    /// Comments are blanked, literals stay.
    pub(super) uncommented: String,
    /// Whether the whole file is compiled for tests only.
    pub(super) test_only: bool,
    literals: Vec<Range<usize>>,
    tests: Vec<Range<usize>>,
    line_starts: Vec<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Comment,
    Literal,
}

impl Source {
    /// Takes the file apart.
    pub(super) fn new(path: &str, text: &str) -> Self {
        let (mut code, mut uncommented) = (text.as_bytes().to_vec(), text.as_bytes().to_vec());
        let mut literals = Vec::new();
        for (range, kind) in spans(text) {
            blank(&mut code[range.clone()]);
            match kind {
                Kind::Comment => blank(&mut uncommented[range]),
                Kind::Literal => literals.push(range),
            }
        }
        let view = |bytes| String::from_utf8(bytes).expect("whole spans became ASCII blanks");
        let code = view(code);
        let folder = |name: &str| path.split('/').rev().skip(1).any(|part| part == name);
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            uncommented: view(uncommented),
            test_only: folder("tests") || folder("benches") || code.contains("#![cfg(test)]"),
            literals,
            tests: test_regions(&code),
            line_starts: [0]
                .into_iter()
                .chain(text.match_indices('\n').map(|(at, _)| at + 1))
                .collect(),
            code,
        }
    }

    /// The number of the line that holds this offset, from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|&start| start <= offset)
    }

    /// Whether this offset is compiled for tests only.
    pub(super) fn is_test(&self, offset: usize) -> bool {
        self.test_only || self.tests.iter().any(|region| region.contains(&offset))
    }

    /// Whether any part of the file is compiled for tests only.
    pub(super) fn holds_tests(&self) -> bool {
        self.test_only || !self.tests.is_empty()
    }

    /// Whether this span lies inside one literal.
    pub(super) fn in_literal(&self, span: &Range<usize>) -> bool {
        self.literals.iter().any(|literal| literal.start < span.start && span.end <= literal.end)
    }

    /// The places where `word` stands in the code, not as a part of a longer one.
    pub(super) fn words<'s>(&'s self, word: &'s str) -> impl Iterator<Item = usize> + 's {
        words(&self.code, word)
    }
}

/// The places where `word` stands in `text`, not as a part of a longer one.
pub(super) fn words<'s>(text: &'s str, word: &'s str) -> impl Iterator<Item = usize> + 's {
    text.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

/// Whether a character can be part of an identifier.
pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The identifier that `text` starts with, possibly empty.
pub(super) fn leading_word(text: &str) -> &str {
    &text[..text.find(|c| !is_word(c)).unwrap_or(text.len())]
}

/// The offset after the bracket that closes the one at `open`, or the end.
pub(super) fn matching(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    code.len()
}

/// The offset after the item that starts at `from`: its closing brace, or its semicolon.
fn item_end(code: &str, from: usize) -> usize {
    let mut at = from;
    while let Some(byte) = code.as_bytes().get(at) {
        match byte {
            b'{' => return matching(code, at),
            b';' | b'}' => return at + 1,
            b'(' | b'[' => at = matching(code, at),
            _ => at += 1,
        }
    }
    code.len()
}

/// The items behind a `#[cfg(…test…)]`.
fn test_regions(code: &str) -> Vec<Range<usize>> {
    let opening = "#[cfg(";
    let regions = code.match_indices(opening).filter_map(|(at, _)| {
        let end = matching(code, at + 1);
        let condition = &code[at + opening.len()..end];
        let test = words(condition, "test").next().is_some() && !condition.contains("not(test");
        test.then(|| at..item_end(code, end))
    });
    regions.collect()
}

fn blank(bytes: &mut [u8]) {
    for byte in bytes.iter_mut().filter(|byte| **byte != b'\n') {
        *byte = b' ';
    }
}

/// The comments and literals of a file, in order.
fn spans(text: &str) -> Vec<(Range<usize>, Kind)> {
    let mut spans = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let span = if rest.starts_with("//") {
            Some((rest.find('\n').unwrap_or(rest.len()), Kind::Comment))
        } else if rest.starts_with("/*") {
            Some((block_comment(rest), Kind::Comment))
        } else if c == '"' {
            Some((quoted(rest, '"'), Kind::Literal))
        } else if c == '\'' {
            character(rest).map(|length| (length, Kind::Literal))
        } else {
            None
        };
        if let Some((length, kind)) = span {
            spans.push((at..at + length, kind));
            at += length;
        } else if is_word(c) {
            let word = leading_word(rest);
            at += word.len();
            if let Some(length) = raw_string(word, &text[at..]) {
                spans.push((at..at + length, Kind::Literal));
                at += length;
            }
        } else {
            at += c.len_utf8();
        }
    }
    spans
}

/// The length of a block comment; they nest.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        let bytes = &rest.as_bytes()[at..];
        if bytes.starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if bytes.starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// The length of a literal with escapes.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if c == quote && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    rest.len()
}

/// The length of a character literal, or none where the quote starts a lifetime.
fn character(rest: &str) -> Option<usize> {
    let mut chars = rest.chars().skip(1);
    let first = chars.next()?;
    if first == '\\' {
        return Some(quoted(rest, '\''));
    }
    (chars.next() == Some('\'')).then(|| 2 + first.len_utf8())
}

/// The length of a raw string, where `word` is its prefix and `rest` what follows it.
fn raw_string(word: &str, rest: &str) -> Option<usize> {
    let hashes = rest.bytes().take_while(|&byte| byte == b'#').count();
    if !matches!(word, "r" | "br" | "cr") || !rest[hashes..].starts_with('"') {
        return None;
    }
    let closing = format!("\"{}", "#".repeat(hashes));
    let body = hashes + 1;
    Some(rest[body..].find(&closing).map_or(rest.len(), |at| body + at + closing.len()))
}
