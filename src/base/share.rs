//! Shares of a device, exact: whole eighths of its memory, never floating point (SPEC 5).
//!
//! The boards have 4 or 8 cores, so every legal `resources_used` is a whole number of eighths; sums of them are
//! integer sums, and `0.1 + 0.2` cannot happen.

use std::fmt;
use std::iter::Sum;
use std::ops::Add;

/// A share of a device's memory in eighths: 8 is the whole device. Sums may exceed 8; `Budget` checks that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u32);

impl Share {
    /// The whole device, 1.0.
    pub const WHOLE: Self = Self(8);

    /// So many eighths.
    #[must_use]
    pub const fn eighths(count: u32) -> Self {
        Self(count)
    }

    /// The share that a decimal names, if it is exactly a whole number of eighths in (0, 1].
    #[must_use]
    pub fn from_decimal(value: f64) -> Option<Self> {
        let eighths = value * 8.0;
        let whole = eighths.fract() == 0.0 && (1.0..=8.0).contains(&eighths);
        whole.then_some(Self(eighths as u32))
    }

    /// This share as a decimal; exact, since eighths are binary fractions.
    #[must_use]
    pub fn decimal(self) -> f64 {
        f64::from(self.0) / 8.0
    }

    /// The number of eighths.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.0
    }

    /// This share, `times` over.
    #[must_use]
    pub const fn times(self, times: u32) -> Self {
        Self(self.0.saturating_mul(times))
    }
}

impl Add for Share {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sum for Share {
    fn sum<I: Iterator<Item = Self>>(shares: I) -> Self {
        shares.fold(Self(0), Add::add)
    }
}

impl fmt::Display for Share {
    /// As people write it: `0.25`, `1.0`, `0.125`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.decimal())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_eighths_are_shares() {
        assert_eq!(Share::from_decimal(0.25), Some(Share::eighths(2)));
        assert_eq!(Share::from_decimal(1.0), Some(Share::WHOLE));
        for value in [0.0, 0.3, -0.25, 1.125, f64::NAN, f64::INFINITY] {
            assert_eq!(Share::from_decimal(value), None, "{value}");
        }
    }

    #[test]
    fn sums_are_exact() {
        let sum: Share = [2, 2, 2, 2].map(Share::eighths).into_iter().sum();
        assert_eq!(sum, Share::WHOLE);
        assert_eq!(Share::eighths(6).to_string(), "0.75");
    }
}
