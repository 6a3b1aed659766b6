//! Columns for people.

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

/// Rows under a head, columns as wide as their widest cell that is not overlong, two blanks between; no trailing blanks.
#[must_use]
pub fn table(head: &[(&str, Align)], rows: &[Vec<String>]) -> String {
    let width = |text: &str| text.chars().count();
    let mut widths: Vec<usize> = head.iter().map(|(title, _)| width(title)).collect();
    for row in rows {
        for (column, cell) in row.iter().enumerate().take(widths.len()).filter(|(_, cell)| width(cell) <= LONG) {
            widths[column] = widths[column].max(width(cell));
        }
    }
    let titles: Vec<String> = head.iter().map(|(title, _)| (*title).to_owned()).collect();
    let mut text = String::new();
    for row in std::iter::once(&titles).chain(rows) {
        let mut line = String::new();
        for (column, (_, align)) in head.iter().enumerate() {
            let cell = row.get(column).map_or("", String::as_str);
            let padding = " ".repeat(widths[column].saturating_sub(width(cell)));
            let gap = if column == 0 { "" } else { "  " };
            line += gap;
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
