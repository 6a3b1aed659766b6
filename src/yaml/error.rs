//! Why a text is not a document that is read here.

use crate::diag::Diagnostic;
use crate::diag::Source;
use crate::diag::Span;

/// What kind of problem a [`YamlError`] is; it decides the diagnostic's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum YamlErrorKind {
    /// The text is not YAML.
    Syntax,
    /// A mapping has a key twice.
    DuplicateKey,
    /// Too deep, too large, or too many nodes once aliases are expanded.
    Limit,
    /// YAML that is not read here: several documents, tags that name Python objects, merge keys on scalars, binary text.
    Unsupported,
}

/// The first problem of a YAML text, with its bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct YamlError {
    /// What kind of problem it is.
    pub kind: YamlErrorKind,
    /// What is wrong, lower case, without a final period.
    pub message: String,
    /// The bytes it concerns.
    pub span: Span,
    /// What to do about it.
    pub hint: Option<String>,
}

impl YamlError {
    pub(super) fn new(kind: YamlErrorKind, message: impl Into<String>, span: Span) -> Self {
        Self { kind, message: message.into(), span, hint: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// `yaml/syntax`, `yaml/duplicate-key`, `yaml/limit` or `yaml/unsupported`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self.kind {
            YamlErrorKind::Syntax => "yaml/syntax",
            YamlErrorKind::DuplicateKey => "yaml/duplicate-key",
            YamlErrorKind::Limit => "yaml/limit",
            YamlErrorKind::Unsupported => "yaml/unsupported",
        }
    }

    /// The error as a diagnostic that points into `source`, the text that was parsed.
    #[must_use]
    pub fn diagnostic(&self, source: &Source) -> Diagnostic {
        Diagnostic::error(self.code(), self.message.as_str()).at(source, self.span).maybe_hint(self.hint.as_deref())
    }
}

/// A message of the scanner's in words of a card's author.
pub(super) fn plain_words(message: &str) -> &str {
    match message {
        "mapping values are not allowed in this context" => "a `:` with a blank behind it cannot stand inside a value",
        "illegal placement of ':' indicator" => "a `:` cannot stand here",
        "while scanning a quoted scalar, found unexpected end of stream" => "a quote is opened here and not closed",
        "while parsing node, found unknown anchor" => "an alias of an anchor that does not exist",
        "':' must be followed by a valid YAML whitespace" => "a `:` needs a blank behind it",
        "invalid indentation in flow construct" => "what a line above opens with `[` or `{` is not closed before this",
        other if other.contains("',' or '}'") => "a mapping that `{` opens is not closed before this",
        other if other.contains("',' or ']'") => "a list that `[` opens is not closed before this",
        "invalid indentation in quoted scalar" => "a quote that a line above opens is not closed before this",
        other if other.contains("expected '-' indicator") => {
            "a key among the items of a list, each of which starts with `- `"
        }
        "tabs disallowed within this context (block indentation)" => "a tab in the indentation",
        other => other,
    }
}

/// What would help against a syntax error of the scanner's, known by its words.
pub(super) fn syntax_hint(message: &str) -> Option<&'static str> {
    let hints = [
        ("tab", "indent with blanks: YAML allows no tabs there"),
        ("mapping values are not allowed", "put a value that has `: ` in it between quotes, or check the indentation"),
        ("did not find expected key", "check the indentation of this line and of the lines above it"),
        ("simple key expect", "a key needs a `:` after it; check the indentation of this line"),
        ("block sequence entries are not allowed", "a list that belongs to a key starts on the line below the key"),
        ("indentation in quoted scalar", "close the quote, or indent this line"),
        ("expected '-' indicator", "put `- ` in front of it, or indent it below the item above"),
        ("flow construct", "close it with `]` or `}`, or indent this line"),
        ("invalid indentation", "check the indentation of this line and of the lines above it"),
        ("',' or ']'", "close the list with `]`, or put a comma between its items"),
        ("',' or '}'", "close the mapping with `}`, or put a comma between its entries"),
        ("illegal placement", "check that what the lines above open with `[`, `{` or a quote is closed"),
        ("unexpected end of stream", "a quote, bracket or brace that was opened is not closed"),
        ("unexpected end of plain scalar", "put a value that starts with a special character between quotes"),
        (
            "unknown anchor",
            "an alias `*name` needs an anchor `&name` before it; put text that starts with `*` in quotes",
        ),
        ("unknown escape", "use single quotes for text with backslashes"),
    ];
    hints.into_iter().find(|(words, _)| message.contains(words)).map(|(_, hint)| hint)
}

/// The quote, or else the innermost `[` or `{`, that is still open at the end of a text, and its place in characters; `None` where there is none
/// or brackets do not match. A guess for a text that is known not to be YAML: block scalars are not looked for.
pub(super) fn unclosed(text: &str) -> Option<(usize, char)> {
    let mut open: Vec<(usize, char)> = Vec::new();
    let mut quote: Option<(usize, char)> = None;
    // The last character that is no blank: a value starts after one of a few.
    let (mut last, mut before, mut in_comment) = ('\n', '\n', false);
    for (index, c) in text.chars().enumerate() {
        let starts_value = matches!(last, '\n' | ':' | '-' | ',' | '[' | '{');
        match c {
            '\n' => {
                in_comment = false;
                last = if open.is_empty() && quote.is_none() { '\n' } else { last };
            }
            _ if in_comment => {}
            _ if quote.is_some() => {
                if quote.is_some_and(|(_, quote)| quote == c) && !(c == '"' && before == '\\') {
                    quote = None;
                }
                last = c;
            }
            '#' if before.is_whitespace() => in_comment = true,
            '"' | '\'' if starts_value => (quote, last) = (Some((index, c)), c),
            '[' | '{' if starts_value || !open.is_empty() => {
                open.push((index, c));
                last = c;
            }
            ']' | '}' if !open.is_empty() => {
                let (_, opening) = open.pop()?;
                if (opening == '[') != (c == ']') {
                    return None;
                }
                last = c;
            }
            c if c.is_whitespace() => {}
            c => last = c,
        }
        before = c;
    }
    quote.or_else(|| open.last().copied())
}
