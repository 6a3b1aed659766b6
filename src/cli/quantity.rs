//! Numbers with units, as people type them: sizes, ages, times.

/// Units of sizes, in bytes.
pub(super) const SIZES: [(&str, u64); 10] = [
    ("", 1),
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Units of ages, in seconds.
pub(super) const AGES: [(&str, u64); 5] = [("s", 1), ("min", 60), ("h", 3_600), ("d", 86_400), ("w", 604_800)];

/// Units of the time that something may take, in milliseconds.
pub(super) const TIMES: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("min", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// A number, which may have a fraction, and a unit behind it.
pub(super) fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: f64 = number.parse().ok()?;
    let (_, factor) = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit.trim()))?;
    let value = number * *factor as f64;
    (value.is_finite() && value < u64::MAX as f64).then_some(value as u64)
}

/// How much memory may be used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Memory {
    /// Bytes.
    Bytes(u64),
    /// This part of what the machine has, above 0 to 1.
    Part(f64),
}

impl Memory {
    /// `80%`, or a size such as `12GB`; above 0.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.strip_suffix('%') {
            Some(percent) => {
                let percent: f64 = percent.trim().parse().ok()?;
                (percent > 0.0 && percent <= 100.0).then_some(Self::Part(percent / 100.0))
            }
            None => quantity(text, &SIZES).filter(|&bytes| bytes > 0).map(Self::Bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_numbers_with_units() {
        let units = [("", 1), ("KB", 1_000), ("d", 86_400)];
        for (text, expected) in [
            ("20KB", Some(20_000)),
            ("1.5kb", Some(1_500)),
            ("7 d", Some(604_800)),
            ("12", Some(12)),
            ("KB", None),
            ("1e400", None),
            ("-1d", None),
            ("5 weeks", None),
            ("99999999999999999999999KB", None),
        ] {
            assert_eq!(quantity(text, &units), expected, "{text}");
        }
    }

    #[test]
    fn memory_is_a_part_or_a_size() {
        for (text, expected) in [
            ("80%", Some(Memory::Part(0.8))),
            ("2GiB", Some(Memory::Bytes(2 << 30))),
            ("0%", None),
            ("101%", None),
            ("0", None),
            ("NaN%", None),
            ("much", None),
        ] {
            assert_eq!(Memory::parse(text), expected, "{text}");
        }
    }
}
