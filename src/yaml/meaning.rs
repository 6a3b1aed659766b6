//! What a plain scalar means: as `PyYAML` reads it (YAML 1.1), and where YAML 1.2 would read it otherwise.
//!
//! The patterns are those of the YAML 1.1 types repository (<https://yaml.org/type/>) with `PyYAML`'s narrowings: a float
//! needs a point, and an exponent a sign. Those of YAML 1.2 are its core schema (section 10.3.2).

use super::Meaning;
use super::Scalar;
use super::Style;

impl Scalar {
    /// What the scalar means to `PyYAML`: quoted and block scalars are text. Integers outside the range of `i64` are
    /// given as the nearest float.
    #[must_use]
    pub fn meaning(&self) -> Meaning {
        if self.style == Style::Plain { yaml_1_1(&self.text) } else { Meaning::Text }
    }

    /// When YAML 1.1 and 1.2 read the scalar differently, how: the text of a warning, without a place.
    #[must_use]
    pub fn differs_in_yaml_1_2(&self) -> Option<String> {
        if self.style != Style::Plain {
            return None;
        }
        let (old, new) = (yaml_1_1(&self.text), yaml_1_2(&self.text));
        let date = is_date(&self.text);
        let both_nan =
            matches!((&old, &new), (Meaning::Float(old), Meaning::Float(new)) if old.is_nan() && new.is_nan());
        if (old == new || both_nan) && !date {
            return None;
        }
        let old = if date { "a date".to_owned() } else { words(&old) };
        Some(format!("`{}` is {old} in YAML 1.1, which the SDK reads, and {} in YAML 1.2", self.text, words(&new)))
    }
}

impl Scalar {
    /// The value that a scalar of [`Self::differs_in_yaml_1_2`] probably stands for, as both versions read it: what it is
    /// in YAML 1.1, or a number that is one in YAML 1.2 only. `None` for text and dates.
    #[must_use]
    pub fn spelled_alike(&self) -> Option<String> {
        let value = match self.meaning() {
            Meaning::Text => yaml_1_2(&self.text),
            meaning => meaning,
        };
        match value {
            Meaning::Bool(value) => Some(value.to_string()),
            Meaning::Int(value) => Some(value.to_string()),
            // Without an exponent, which the versions read differently.
            Meaning::Float(value) if value.is_finite() && value.fract() == 0.0 => Some(format!("{value}.0")),
            Meaning::Float(value) if value.is_finite() => Some(value.to_string()),
            Meaning::Float(_) | Meaning::Null | Meaning::Text => None,
        }
    }
}

/// A meaning in words, for messages: `the boolean true`, `the integer 8`, `text`.
pub(super) fn words(meaning: &Meaning) -> String {
    match meaning {
        Meaning::Null => "null".to_owned(),
        Meaning::Bool(value) => format!("the boolean {value}"),
        Meaning::Int(value) => format!("the integer {value}"),
        Meaning::Float(value) => format!("the number {value:?}"),
        Meaning::Text => "text".to_owned(),
    }
}

/// The meaning of a plain scalar as `PyYAML`'s resolver gives it.
pub(super) fn yaml_1_1(text: &str) -> Meaning {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Meaning::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Meaning::Bool(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => return Meaning::Bool(false),
        _ => {}
    }
    // Every number starts with one of these; most scalars do not.
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return Meaning::Text;
    }
    integer_1_1(text).or_else(|| float_1_1(text)).unwrap_or(Meaning::Text)
}

fn sign_of(text: &str) -> (bool, &str) {
    match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    }
}

fn all(text: &str, test: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(test)
}

/// The digits without their underscores as an integer, or the nearest float when it does not fit.
fn integer(digits: &str, radix: u32, negative: bool) -> Option<Meaning> {
    let digits: String = digits.chars().filter(|&c| c != '_').collect();
    if digits.is_empty() {
        return None;
    }
    if let Ok(value) = i128::from_str_radix(&digits, radix) {
        let value = if negative { -value } else { value };
        return Some(i64::try_from(value).map_or(Meaning::Float(value as f64), Meaning::Int));
    }
    let value = digits
        .chars()
        .filter_map(|c| c.to_digit(radix))
        .fold(0.0, |sum: f64, digit| sum.mul_add(f64::from(radix), f64::from(digit)));
    Some(Meaning::Float(if negative { -value } else { value }))
}

fn integer_1_1(text: &str) -> Option<Meaning> {
    let (negative, digits) = sign_of(text);
    if let Some(binary) = digits.strip_prefix("0b") {
        return all(binary, |b| matches!(b, b'0' | b'1' | b'_')).then(|| integer(binary, 2, negative))?;
    }
    if let Some(hexadecimal) = digits.strip_prefix("0x") {
        return all(hexadecimal, |b| b.is_ascii_hexdigit() || b == b'_').then(|| integer(hexadecimal, 16, negative))?;
    }
    if digits.starts_with('0') {
        return all(digits, |b| matches!(b, b'0'..=b'7' | b'_')).then(|| integer(digits, 8, negative))?;
    }
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if all(digits, |b| b.is_ascii_digit() || b == b'_') {
        return integer(digits, 10, negative);
    }
    let total = sexagesimal(digits)?;
    let total = if negative { -total } else { total };
    Some(if total.abs() < 9e15 { Meaning::Int(total as i64) } else { Meaning::Float(total) })
}

/// `190:20:30` in base 60: the first part any digits, the others 0 to 59 in one or two digits.
fn sexagesimal(text: &str) -> Option<f64> {
    let (first, rest) = text.split_once(':')?;
    if !all(first, |b| b.is_ascii_digit() || b == b'_') || first.starts_with('_') {
        return None;
    }
    let mut total: f64 = first.replace('_', "").parse().ok()?;
    for part in rest.split(':') {
        let short = matches!(part.len(), 1 | 2) && all(part, |b| b.is_ascii_digit());
        let value: u8 = if short { part.parse().ok()? } else { return None };
        if value > 59 {
            return None;
        }
        total = total.mul_add(60.0, f64::from(value));
    }
    Some(total)
}

fn float_1_1(text: &str) -> Option<Meaning> {
    let (negative, digits) = sign_of(text);
    let signed = |value: f64| Some(Meaning::Float(if negative { -value } else { value }));
    match digits {
        ".inf" | ".Inf" | ".INF" => return signed(f64::INFINITY),
        ".nan" | ".NaN" | ".NAN" if digits.len() == text.len() => return Some(Meaning::Float(f64::NAN)),
        _ => {}
    }
    let (mantissa, exponent) = match digits.find(['e', 'E']) {
        Some(at) => (&digits[..at], Some(&digits[at + 1..])),
        None => (digits, None),
    };
    if let Some(exponent) = exponent {
        // PyYAML wants the sign: `1.0e5` is text to it.
        let number = exponent.strip_prefix(['+', '-'])?;
        if !all(number, |b| b.is_ascii_digit()) {
            return None;
        }
    }
    let (whole, fraction) = mantissa.split_once('.')?;
    if !fraction.bytes().all(|b| b.is_ascii_digit() || b == b'_') {
        return None;
    }
    if whole.contains(':') {
        let seconds: f64 = format!("0.{}", fraction.replace('_', "")).parse().ok()?;
        return if exponent.is_none() { signed(sexagesimal(whole)? + seconds) } else { None };
    }
    let starts_right = if whole.is_empty() {
        // `.5` takes no sign, and a digit right behind the point.
        digits.len() == text.len() && fraction.starts_with(|c: char| c.is_ascii_digit())
    } else {
        whole.starts_with(|c: char| c.is_ascii_digit()) && all(whole, |b| b.is_ascii_digit() || b == b'_')
    };
    if !starts_right {
        return None;
    }
    let plain: String = digits.chars().filter(|&c| c != '_').collect();
    let plain = if plain.starts_with('.') { format!("0{plain}") } else { plain };
    signed(plain.parse().ok()?)
}

/// The meaning of a plain scalar in YAML 1.2's core schema.
fn yaml_1_2(text: &str) -> Meaning {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Meaning::Null,
        "true" | "True" | "TRUE" => return Meaning::Bool(true),
        "false" | "False" | "FALSE" => return Meaning::Bool(false),
        _ => {}
    }
    let (negative, digits) = sign_of(text);
    if all(digits, |b| b.is_ascii_digit()) {
        return integer(digits, 10, negative).unwrap_or(Meaning::Text);
    }
    if let Some(octal) = text.strip_prefix("0o") {
        if all(octal, |b| matches!(b, b'0'..=b'7')) {
            return integer(octal, 8, false).unwrap_or(Meaning::Text);
        }
        return Meaning::Text;
    }
    if let Some(hexadecimal) = text.strip_prefix("0x") {
        if all(hexadecimal, |b| b.is_ascii_hexdigit()) {
            return integer(hexadecimal, 16, false).unwrap_or(Meaning::Text);
        }
        return Meaning::Text;
    }
    match digits {
        ".inf" | ".Inf" | ".INF" => return Meaning::Float(if negative { f64::NEG_INFINITY } else { f64::INFINITY }),
        ".nan" | ".NaN" | ".NAN" if digits.len() == text.len() => return Meaning::Float(f64::NAN),
        _ => {}
    }
    let number = all(digits, |b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
        && digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    match text.parse() {
        Ok(value) if number => Meaning::Float(value),
        _ => Meaning::Text,
    }
}

/// `2001-12-14`, with or without a time: `PyYAML` makes a date of it.
fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digits = |from: usize, to: usize| bytes.get(from..to).is_some_and(|part| part.iter().all(u8::is_ascii_digit));
    let day =
        digits(0, 4) && bytes.get(4) == Some(&b'-') && digits(5, 7) && bytes.get(7) == Some(&b'-') && digits(8, 10);
    day && (bytes.len() == 10 || (matches!(bytes[10], b't' | b'T' | b' ') && text.contains(':')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Scalar {
        Scalar { text: text.to_owned(), style: Style::Plain }
    }

    /// Every row was read with `PyYAML` 6.0's `safe_load`.
    #[test]
    fn plain_scalars_mean_what_pyyaml_says() {
        let cases = [
            ("yes", Meaning::Bool(true), true),
            ("Off", Meaning::Bool(false), true),
            ("True", Meaning::Bool(true), false),
            ("y", Meaning::Text, false),
            ("tRUE", Meaning::Text, false),
            ("~", Meaning::Null, false),
            ("", Meaning::Null, false),
            ("0", Meaning::Int(0), false),
            ("-5", Meaning::Int(-5), false),
            ("010", Meaning::Int(8), true),
            ("08", Meaning::Text, true),
            ("0o10", Meaning::Text, true),
            ("0x1F", Meaning::Int(31), false),
            ("0b11", Meaning::Int(3), true),
            ("1_000", Meaning::Int(1000), true),
            ("12:30:00", Meaning::Int(45000), true),
            ("1:60", Meaning::Text, false),
            ("1.5", Meaning::Float(1.5), false),
            ("-1.", Meaning::Float(-1.0), false),
            (".5", Meaning::Float(0.5), false),
            ("-.5", Meaning::Text, true),
            ("1e-5", Meaning::Text, true),
            ("1.0e5", Meaning::Text, true),
            ("1.0e+5", Meaning::Float(1.0e5), false),
            ("348e95", Meaning::Text, true),
            ("348.0e+95", Meaning::Float(3.48e97), false),
            ("-.inf", Meaning::Float(f64::NEG_INFINITY), false),
            ("1.2.3", Meaning::Text, false),
            ("1.0.0", Meaning::Text, false),
            ("2001-12-14", Meaning::Text, true),
            ("2001-12-14 1", Meaning::Text, false),
            ("0_", Meaning::Int(0), true),
            ("0:0", Meaning::Text, false),
            ("1:30.5", Meaning::Float(90.5), true),
            ("18446744073709551616", Meaning::Float(18_446_744_073_709_551_616.0), false),
            ("-", Meaning::Text, false),
            (".", Meaning::Text, false),
            ("0x", Meaning::Text, false),
            ("{{input_width}}", Meaning::Text, false),
        ];
        let mut wrong = Vec::new();
        for (text, meaning, differs) in cases {
            let scalar = plain(text);
            if scalar.meaning() != meaning || scalar.differs_in_yaml_1_2().is_some() != differs {
                wrong.push(format!("{text}: {:?}, {:?}", scalar.meaning(), scalar.differs_in_yaml_1_2()));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn the_difference_is_told_in_words() {
        assert_eq!(
            plain("010").differs_in_yaml_1_2().as_deref(),
            Some("`010` is the integer 8 in YAML 1.1, which the SDK reads, and the integer 10 in YAML 1.2")
        );
        let spelled = ["yes", "010", "1e-5", "1e3", "2001-12-14"].map(|text| plain(text).spelled_alike());
        let spelled = spelled.each_ref().map(|text| text.as_deref().unwrap_or("-"));
        assert_eq!(spelled, ["true", "8", "0.00001", "1000.0", "-"]);
        let quoted = Scalar { text: "yes".to_owned(), style: Style::Quoted };
        assert_eq!((quoted.meaning(), quoted.differs_in_yaml_1_2()), (Meaning::Text, None));
    }
}
