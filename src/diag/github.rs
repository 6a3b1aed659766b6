//! Diagnostics as GitHub's workflow commands: a line each, which a workflow's log turns into an annotation of the file.
//!
//! Source: GitHub's reference of workflow commands ("Setting an error message"), and the escapes of its `toolkit`.

use std::fmt::Write;

use super::{Diagnostic, Severity, printable};

/// One diagnostic as `::error file=…,line=…,endLine=…,col=…,endColumn=…,title=CODE::MESSAGE` and a newline. `folder` is
/// the zoo's folder within the checkout, with a `/` at its end, or nothing.
#[must_use]
pub fn to_github(diagnostic: &Diagnostic, folder: &str) -> String {
    let command = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let mut properties = Vec::new();
    if let Some(file) = diagnostic.artifact() {
        properties.push(format!("file={}", property(&format!("{folder}{file}"))));
        if let Some(place) = &diagnostic.place {
            let (start, end) = (place.position(), place.end_position());
            properties.push(format!("line={},endLine={},col={}", start.line, end.line, start.column));
            // Columns of an annotation are within one line; the last one belongs to it.
            if end.line == start.line {
                properties.push(format!("endColumn={}", (end.column - 1).max(start.column)));
            }
        }
    }
    properties.push(format!("title={}", property(diagnostic.code)));
    let mut text = diagnostic.message.clone();
    if let Some(hint) = &diagnostic.hint {
        let _ = write!(text, "\nhint: {hint}");
    }
    format!("::{command} {}::{}\n", properties.join(","), message(&text))
}

fn message(text: &str) -> String {
    // A log is shown on terminals, too: what would move a cursor there is not passed on.
    let lines: Vec<String> = text.split('\n').map(printable).collect();
    lines.join("\n").replace('%', "%25").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::super::{Source, Span};
    use super::*;

    #[test]
    fn control_characters_are_not_passed_on() {
        let command = to_github(&Diagnostic::error("card/name", "a\u{1b}[31mb\r"), "");
        assert!(command.ends_with("::a\u{fffd}[31mb\u{fffd}\n"), "{command:?}");
    }

    #[test]
    fn a_diagnostic_is_one_command() {
        let source = Source::new("model_cards/a,b: 100%.yaml", "äö: 1\nname: x\n");
        let diagnostic = Diagnostic::error("card/type", "100 %\nmore").at(&source, Span::new(6, 7)).hint("a\nb");
        assert_eq!(
            to_github(&diagnostic, "zoo/"),
            "::error file=zoo/model_cards/a%2Cb%3A 100%25.yaml,line=1,endLine=1,col=5,endColumn=5,title=card/type::100 \
             %25%0Amore%0Ahint: a%0Ab\n"
        );
    }

    #[test]
    fn what_has_no_line_has_no_line() {
        let in_file = Diagnostic::warning("card/not-a-card", "no card").in_file("a.yaml");
        assert_eq!(to_github(&in_file, ""), "::warning file=a.yaml,title=card/not-a-card::no card\n");
        let typed = Diagnostic::note("config/old-name", "old").at(&Source::typed("--set", "a=1"), Span::new(0, 1));
        assert_eq!(to_github(&typed, ""), "::notice title=config/old-name::old\n");
    }

    #[test]
    fn a_place_of_several_lines_has_no_last_column() {
        let source = Source::new("a.yaml", "a: [b,\n c]\n");
        let text = to_github(&Diagnostic::error("card/type", "x").at(&source, Span::new(3, 10)), "");
        assert_eq!(text, "::error file=a.yaml,line=1,endLine=2,col=4,title=card/type::x\n");
    }
}
