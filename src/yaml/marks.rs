//! Substitution marks, hidden from the YAML scanner.
//!
//! `{{input_width}}`, `{{name:default}}`, `${{name}}` and `${NAME}` may stand wherever a plain scalar may, although `{`
//! starts a flow mapping in YAML. Before scanning, each character of such a mark is replaced by one private-use
//! character; afterwards scalar texts get them back. One character stands for one, so that positions in characters
//! stay what they are.

use std::borrow::Cow;

/// The first of 128 private-use characters that stand for the ASCII characters of marks.
const FIRST: u32 = 0x000F_FE00;

fn hidden(character: char) -> Option<char> {
    if character.is_ascii() { char::from_u32(FIRST + u32::from(character)) } else { None }
}

fn revealed(character: char) -> Option<char> {
    let code = u32::from(character).checked_sub(FIRST)?;
    if code < 128 { char::from_u32(code) } else { None }
}

/// The byte offset of the first character that this file uses itself, which a text must not have.
pub(super) fn reserved(text: &str) -> Option<usize> {
    // Only characters of four bytes can be meant; most texts have none.
    if !text.bytes().any(|byte| byte >= 0xF3) {
        return None;
    }
    text.char_indices().find(|&(_, character)| revealed(character).is_some()).map(|(at, _)| at)
}

/// The text with every mark hidden.
pub(super) fn hide(text: &str) -> Cow<'_, str> {
    if !text.contains("{{") && !text.contains("${") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        let Some(length) = mark_length(&rest[at..]) else {
            // Not a mark: keep the brace, and go on behind it.
            let dollar = at > 0 && rest.as_bytes()[at - 1] == b'$';
            if dollar && let Some(length) = variable_length(&rest[at..]) {
                out.push_str(&rest[..at - 1]);
                out.extend(rest[at - 1..at + length].chars().map(|c| hidden(c).unwrap_or(c)));
                rest = &rest[at + length..];
            } else {
                out.push_str(&rest[..=at]);
                rest = &rest[at + 1..];
            }
            continue;
        };
        out.push_str(&rest[..at]);
        out.extend(rest[at..at + length].chars().map(|c| hidden(c).unwrap_or(c)));
        rest = &rest[at + length..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The bytes of the `{{…}}` that `text` starts with: no braces, quotes or line ends inside.
fn mark_length(text: &str) -> Option<usize> {
    let inner = text.strip_prefix("{{")?;
    let end = inner.find(['{', '}', '"', '\'', '\n', '\r'])?;
    inner[end..].starts_with("}}").then_some(end + 4)
}

/// The bytes of the `{…}` that `text` starts with.
fn variable_length(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('{')?;
    let end = inner.find(['{', '}', '"', '\'', '\n', '\r'])?;
    inner[end..].starts_with('}').then_some(end + 2)
}

/// A scalar's text with its marks back.
pub(super) fn reveal(text: Cow<'_, str>) -> String {
    // 0xF3 starts every character of the private-use planes.
    if !text.bytes().any(|byte| byte == 0xF3) {
        return text.into_owned();
    }
    text.chars().map(|character| revealed(character).unwrap_or(character)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_hidden_and_come_back() {
        for text in
            ["a: {{b}}", "a: ${{b:c d}}", "[{{x}}, {{y}}]", "p: ${HOME}/x", "{a: {b: 1}}", "{{ü}}", "{{", "${", "{{a}"]
        {
            let hidden = hide(text);
            assert_eq!(hidden.chars().count(), text.chars().count(), "{text}");
            assert_eq!(reveal(hidden), text);
        }
        assert!(!hide("[{{x}}, ${{y}}, ${Z}]").contains('{'));
        assert_eq!(hide("{a: {b: {c: 1}}}"), "{a: {b: {c: 1}}}");
    }
}
