//! Many diagnostics: in which order, and each once.

use std::collections::HashSet;

use rayon::prelude::*;

use super::{Diagnostic, Severity, Span};

/// Sorts by file, then by place, and then by everything that is said: the order depends on nothing but the problems.
/// Those without a file come first.
pub fn sort(diagnostics: &mut [Diagnostic]) {
    diagnostics.par_sort_by(|left, right| {
        let said = |it: &Diagnostic| (it.code, std::cmp::Reverse(it.severity));
        said_at(left)
            .cmp(&said_at(right))
            .then_with(|| said(left).cmp(&said(right)))
            .then_with(|| (&left.message, &left.hint).cmp(&(&right.message, &right.hint)))
            .then_with(|| (&left.network, &left.model).cmp(&(&right.network, &right.model)))
    });
}

fn said_at(diagnostic: &Diagnostic) -> (Option<&str>, usize, usize) {
    let Span { start, end } = diagnostic.place.as_ref().map_or_else(Span::default, |place| place.span);
    (diagnostic.file_name(), start, end)
}

/// Each problem once: what is wrong with a file that three models name is one thing to mend.
#[must_use]
pub fn distinct(diagnostics: &[Diagnostic]) -> Vec<Diagnostic> {
    let mut seen = HashSet::with_capacity(diagnostics.len());
    let mut kept = Vec::new();
    for it in diagnostics {
        let place = it.place.as_ref().map(|place| (place.span.start, place.span.end));
        // A value of the command line has no file of its own: its text tells two of them apart.
        let text = it.place.as_ref().filter(|place| place.source.is_typed()).map(|place| place.source.text());
        if seen.insert((it.code, it.severity, &it.message, &it.hint, it.file_name(), place, text)) {
            kept.push(it.clone());
        }
    }
    kept
}

/// How many problems of each kind a text is to name: `1 error, 2 warnings, 0 notes`.
#[must_use]
pub fn tally(diagnostics: &[Diagnostic]) -> String {
    let of = |severity: Severity| {
        let count = diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count();
        format!("{count} {}{}", severity.word(), if count == 1 { "" } else { "s" })
    };
    [Severity::Error, Severity::Warning, Severity::Note].map(of).join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::Source;
    use super::*;

    #[test]
    fn the_order_is_that_of_files_and_lines_whatever_it_was() {
        let (a, b) = (Source::new("a.yaml", "one two"), Source::new("b.yaml", "one two"));
        let at = |source: &Source, start| Diagnostic::error("card/type", "x").at(source, Span::new(start, start + 3));
        let sorted =
            vec![Diagnostic::error("card/exclude", "x"), at(&a, 0), at(&a, 4), at(&b, 0).network("n"), at(&b, 4)];
        let mut turned: Vec<Diagnostic> = sorted.iter().rev().cloned().collect();
        sort(&mut turned);
        assert_eq!(turned, sorted);
    }

    #[test]
    fn what_two_models_share_is_said_once() {
        let toml = Source::new("a.toml", "x = 1");
        let problem = Diagnostic::error("config/type", "wrong").at(&toml, Span::new(0, 1));
        let all = [problem.clone().model("a"), problem.clone().model("b"), Diagnostic::note("config/type", "wrong")];
        assert_eq!(distinct(&all), [all[0].clone(), all[2].clone()]);
        assert_eq!(tally(&all), "2 errors, 0 warnings, 1 note");
    }
}
