//! Columns for people.

use super::columns::{shortened, width};

/// How a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Words that are longer push the rest of their row to the right, and no other row.
const LONG: usize = 48;

/// Blanks between columns.
const GAP: usize = 2;

/// Columns of a terminal that a name keeps as long as another column can go.
const NAME: usize = 16;

/// Rows under a head, columns as wide as their widest cell that is not overlong, two blanks between; no trailing blanks.
#[must_use]
pub fn table(head: &[(&str, Align)], rows: &[Vec<String>]) -> String {
    laid_out(head, rows, &widths(head, rows, LONG))
}

/// [`table`] on a terminal of so many columns, so that no row is wrapped: first the names in the first column give way, in
/// their middle, then the columns go whose places are in `least`, in this order. `None` is a file or a pipe: all of it.
#[must_use]
pub fn table_within(head: &[(&str, Align)], rows: &[Vec<String>], columns: Option<usize>, least: &[usize]) -> String {
    let Some(columns) = columns else { return table(head, rows) };
    let mut widths = widths(head, rows, usize::MAX);
    let mut kept: Vec<usize> = (0..head.len()).collect();
    let mut least = least.iter();
    loop {
        let needed = kept.iter().map(|&column| widths[column]).sum::<usize>() + GAP * kept.len().saturating_sub(1);
        let too_wide = needed.saturating_sub(columns);
        let Some(first) = widths.first_mut().filter(|_| too_wide > 0) else { break };
        if *first >= too_wide + NAME {
            *first -= too_wide;
            break;
        }
        let Some(column) = least.next() else {
            *first = first.saturating_sub(too_wide).max(NAME.min(*first));
            break;
        };
        kept.retain(|other| other != column);
    }
    let cell = |row: &Vec<String>, column: usize| {
        let cell = row.get(column).cloned().unwrap_or_default();
        if column == 0 { shortened(&cell, widths[0]) } else { cell }
    };
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| kept.iter().map(|&column| cell(row, column)).collect()).collect();
    let head: Vec<(&str, Align)> = kept.iter().map(|&column| head[column]).collect();
    let widths: Vec<usize> = kept.iter().map(|&column| widths[column]).collect();
    laid_out(&head, &rows, &widths)
}

/// The widest title or cell of each column, but for cells wider than `limit`.
fn widths(head: &[(&str, Align)], rows: &[Vec<String>], limit: usize) -> Vec<usize> {
    let mut widths: Vec<usize> = head.iter().map(|(title, _)| width(title)).collect();
    for row in rows {
        for (column, cell) in row.iter().enumerate().take(widths.len()).filter(|(_, cell)| width(cell) <= limit) {
            widths[column] = widths[column].max(width(cell));
        }
    }
    widths
}

fn laid_out(head: &[(&str, Align)], rows: &[Vec<String>], widths: &[usize]) -> String {
    let titles: Vec<String> = head.iter().map(|(title, _)| (*title).to_owned()).collect();
    let mut text = String::new();
    for row in std::iter::once(&titles).chain(rows) {
        let mut line = String::new();
        for (column, (_, align)) in head.iter().enumerate() {
            let cell = row.get(column).map_or("", String::as_str);
            let padding = " ".repeat(widths[column].saturating_sub(width(cell)));
            line += &" ".repeat(if column == 0 { 0 } else { GAP });
            let (before, after) = match align {
                Align::Left => (cell, padding.as_str()),
                Align::Right => (padding.as_str(), cell),
            };
            line += before;
            line += after;
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// A duration as people read it: `84 ms`, `1.2 s`, `3 m 05 s`.
#[must_use]
pub fn duration(milliseconds: u64) -> String {
    match milliseconds {
        0..1_000 => format!("{milliseconds} ms"),
        1_000..60_000 => format!("{}.{} s", milliseconds / 1_000, milliseconds % 1_000 / 100),
        _ => format!("{} m {:02} s", milliseconds / 60_000, milliseconds % 60_000 / 1_000),
    }
}

/// Bytes as people read them: `312 B`, `4.1 KB`, `12.8 MB`; thousands, not 1024s.
#[must_use]
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KB", "MB", "GB", "TB"];
    if count < 1_000 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1_000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1_000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = vec![vec!["digits".to_owned(), "7".to_owned()], vec!["x".to_owned(), "1234".to_owned()]];
        let text = table(&[("network", Align::Left), ("steps", Align::Right)], &rows);
        assert_eq!(text, "network  steps\ndigits       7\nx         1234\n");
        let long = "a".repeat(LONG + 1);
        let rows = vec![vec![long.clone(), "7".to_owned()], vec!["x".to_owned(), "1234".to_owned()]];
        let text = table(&[("network", Align::Left), ("steps", Align::Right)], &rows);
        assert_eq!(text, format!("network  steps\n{long}      7\nx         1234\n"));
    }

    #[test]
    fn on_a_terminal_names_give_way_and_then_the_columns_that_matter_least() {
        let head = [("network", Align::Left), ("result", Align::Left), ("work", Align::Right)];
        let rows = ["a-name-of-a-large-family-one", "a-name-of-a-large-family-two"];
        let rows: Vec<Vec<String>> = rows.map(|name| [name, "built", "1.2 s"].map(str::to_owned).to_vec()).into();
        let fit = |columns| table_within(&head, &rows, Some(columns), &[2]);
        assert_eq!(table_within(&head, &rows, None, &[2]), table(&head, &rows));
        assert_eq!(fit(43), table(&head, &rows));
        let text = "network                     result   work\n\
                    a-name-of-a-l…ge-family-one  built   1.2 s\n";
        assert_eq!(fit(42).lines().nth(1), text.lines().nth(1));
        let text = "network           result\na-name-o…ily-one  built\na-name-o…ily-two  built\n";
        assert_eq!(fit(24), text);
        for columns in 24..60 {
            assert!(fit(columns).lines().all(|line| width(line) <= columns), "{columns}:\n{}", fit(columns));
        }
        assert_eq!(fit(5), text, "there is no less");
    }

    #[test]
    fn quantities_read_well() {
        let durations = [(84, "84 ms"), (1_234, "1.2 s"), (185_000, "3 m 05 s")];
        for (milliseconds, expected) in durations {
            assert_eq!(duration(milliseconds), expected);
        }
        for (count, expected) in [(312, "312 B"), (4_100, "4.1 KB"), (999_960, "1.0 MB"), (12_800_000, "12.8 MB")] {
            assert_eq!(bytes(count), expected);
        }
    }
}
