//! Reads the arguments of one operator, collecting every problem.

use crate::base::did_you_mean;
use crate::base::nearest;
use crate::diag::Span;
use crate::yaml::Meaning;
use crate::yaml::Node;

/// Something wrong with an operator's arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorProblem {
    /// Where: a value, a key, or the arguments as a whole.
    pub span: Span,
    /// What is wrong: expected and found.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

/// The arguments of one operator while they are read.
pub(super) struct Arguments<'a> {
    operator: &'static str,
    whole: Span,
    entries: &'a [(Node, Node)],
    known: Vec<&'static str>,
    pub(super) problems: Vec<OperatorProblem>,
}

impl<'a> Arguments<'a> {
    /// The arguments of `operator`: those of a mapping; none of anything else.
    pub(super) fn new(operator: &'static str, node: &'a Node) -> Self {
        let (whole, entries) = (node.span, node.entries());
        Self { operator, whole, entries, known: Vec::new(), problems: Vec::new() }
    }

    /// Notes a problem.
    pub(super) fn problem(&mut self, span: Span, message: String, hint: Option<String>) {
        self.problems.push(OperatorProblem { span, message, hint });
    }

    /// Notes a problem of the operator as a whole.
    pub(super) fn problem_of_all(&mut self, message: String) {
        self.problem(self.whole, message, None);
    }

    /// The value under `name`; null counts as absent. Makes `name` known.
    pub(super) fn value(&mut self, name: &'static str) -> Option<&'a Node> {
        self.known.push(name);
        let entry = self.entries.iter().find(|(key, _)| key.as_text() == Some(name));
        entry.map(|(_, value)| value).filter(|value| !value.is_null())
    }

    /// A whole number from `low` to `high`; text that is a number is one, as in the SDK.
    pub(super) fn integer(&mut self, name: &'static str, low: usize, high: usize) -> Option<usize> {
        let node = self.value(name)?;
        self.number(name, node, low, high)
    }

    /// A whole number from 1 to `high`. 0 is given back as it is: it is what the SDK takes for "not given".
    pub(super) fn integer_or_zero(&mut self, name: &'static str, high: usize) -> Option<usize> {
        let node = self.value(name)?;
        if integer(node) == Some(0) { Some(0) } else { self.number(name, node, 1, high) }
    }

    fn number(&mut self, name: &'static str, node: &Node, low: usize, high: usize) -> Option<usize> {
        let number = integer(node).filter(|number| (low..=high).contains(number));
        if number.is_none() {
            let message = format!("`{name}` expects a whole number from {low} to {high}, found {}", node.describe());
            self.problem(node.span, message, None);
        }
        number
    }

    /// As [`Self::integer`], and absence is a problem.
    pub(super) fn required_integer(&mut self, name: &'static str, low: usize, high: usize) -> usize {
        let before = self.problems.len();
        self.integer(name, low, high).unwrap_or_else(|| {
            if self.problems.len() == before {
                self.problem_of_all(format!("`{}` needs `{name}`", self.operator));
            }
            low
        })
    }

    /// A boolean.
    pub(super) fn boolean(&mut self, name: &'static str, default: bool) -> bool {
        let Some(node) = self.value(name) else { return default };
        node.as_bool().unwrap_or_else(|| {
            let message = format!("`{name}` expects `True` or `False`, found {}", node.describe());
            self.problem(node.span, message, None);
            default
        })
    }

    /// One of some words, upper and lower case alike.
    pub(super) fn word<T: Copy>(&mut self, name: &'static str, words: &[(&'static str, T)]) -> Option<T> {
        let node = self.value(name)?;
        let text = node.as_text().unwrap_or_default();
        let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)).map(|(_, value)| *value);
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let ticked: Vec<String> = known.iter().map(|word| format!("`{word}`")).collect();
            let message = format!("`{name}` expects one of {}, found {}", ticked.join(", "), node.describe());
            self.problem(node.span, message, did_you_mean(&nearest(text, known)));
        }
        found
    }

    /// A setting that the SDK has and of which only the default is supported here.
    pub(super) fn only(&mut self, name: &'static str, default: &'static str, hint: Option<&str>) {
        let Some(node) = self.value(name) else { return };
        if !node.as_text().is_some_and(|text| text.eq_ignore_ascii_case(default)) {
            let message = format!("`{name}` is supported as `{default}` only, found {}", node.describe());
            self.problem(node.span, message, hint.map(str::to_owned));
        }
    }

    /// One value for all channels or one a channel: a number, a sequence, or text such as `0.485, 0.456, 0.406`, each a
    /// decimal or a fraction such as `1/255`. Equal values become one. With `divisor`, none may be 0.
    pub(super) fn values(&mut self, name: &'static str, default: f32, divisor: bool) -> Vec<f32> {
        let Some(node) = self.value(name) else { return vec![default] };
        let parsed = read_values(node);
        let problem = match &parsed {
            None => {
                format!("`{name}` expects numbers such as `0.5` or `0.485, 0.456, 0.406`, found {}", node.describe())
            }
            Some(values) if ![1, 3, 4].contains(&values.len()) => {
                format!("`{name}` expects 1, 3 or 4 numbers, found {}", values.len())
            }
            Some(values) if divisor && values.contains(&0.0) => {
                format!("`{name}` is divided by, so it cannot be 0")
            }
            Some(_) => String::new(),
        };
        let mut values = parsed.unwrap_or_default();
        if !problem.is_empty() {
            self.problem(node.span, problem, None);
            return vec![default];
        }
        if values.windows(2).all(|pair| pair[0].to_bits() == pair[1].to_bits()) {
            values.truncate(1);
        }
        values
    }

    /// Reports arguments that nobody asked for, and hands out all problems.
    pub(super) fn finish(mut self) -> Vec<OperatorProblem> {
        for (key, _) in self.entries {
            let name = key.as_text().unwrap_or_default();
            if self.known.contains(&name) {
                continue;
            }
            let hint = did_you_mean(&nearest(name, self.known.iter().copied()));
            let known: Vec<String> = self.known.iter().map(|name| format!("`{name}`")).collect();
            let hint = hint.unwrap_or_else(|| format!("its arguments are {}", known.join(", ")));
            let message = format!("`{}` has no argument `{name}`", self.operator);
            self.problems.push(OperatorProblem { span: key.span, message, hint: Some(hint) });
        }
        self.problems.sort_by_key(|problem| (problem.span.start, problem.span.end));
        self.problems
    }
}

/// A whole number that is not negative, as one or as text.
fn integer(node: &Node) -> Option<usize> {
    let text = || node.as_text().and_then(|text| text.trim().parse::<i64>().ok());
    node.as_int().or_else(text).and_then(|number| usize::try_from(number).ok())
}

/// Numbers as `values` takes them; `None` when something is no finite number.
fn read_values(node: &Node) -> Option<Vec<f32>> {
    if node.is_sequence() {
        return node.items().iter().map(read_value).collect();
    }
    if matches!(node.meaning(), Some(Meaning::Int(_) | Meaning::Float(_))) {
        return Some(vec![read_value(node)?]);
    }
    node.as_text()?.split(',').map(read_number).collect()
}

fn read_value(node: &Node) -> Option<f32> {
    match node.meaning()? {
        Meaning::Int(_) | Meaning::Float(_) => finite(node.as_number()?),
        Meaning::Text => read_number(node.as_text()?),
        Meaning::Null | Meaning::Bool(_) => None,
    }
}

/// A decimal or a fraction of two whole numbers; quotes round it are dropped, as the SDK does.
fn read_number(text: &str) -> Option<f32> {
    let text = text.trim().trim_matches('\'');
    if !text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
        return None; // `inf` and `nan` are numbers to Rust
    }
    match text.split_once('/') {
        Some((above, below)) => {
            let above: i64 = above.trim().parse().ok()?;
            let below: i64 = below.trim().parse().ok().filter(|below| *below != 0)?;
            finite(above as f64 / below as f64)
        }
        None => finite(text.parse().ok()?),
    }
}

fn finite(number: f64) -> Option<f32> {
    Some(number as f32).filter(|number| number.is_finite())
}
