//! Names that become folders.

/// Why a name cannot be a folder of the build tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The name has no characters.
    #[error("the name is empty")]
    Empty,
    /// The name has more bytes than a folder's name may have once suffixes are added.
    #[error("the name has {bytes} bytes; at most {limit} fit a file name with its suffixes")]
    TooLong {
        /// Bytes found.
        bytes: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The name has a character that would leave its folder or upset a terminal.
    #[error("the name has {character:?} in it, which cannot be part of a folder's name")]
    Character {
        /// The first such character.
        character: char,
    },
    /// The name is `.` or `..`, or starts with a dot or a dash.
    #[error("a name may not start with `{0}`")]
    Start(char),
}

/// Bytes that a network's or model's name may have: 255 less room for `-prequantized.zip` and a temporary suffix.
pub const NAME_LIMIT: usize = 200;

/// Checks that `name` can be a folder below `build/`: not empty, at most [`NAME_LIMIT`] bytes, no separator or control
/// character, no leading dot or dash.
pub fn check_name(name: &str) -> Result<(), NameError> {
    let Some(first) = name.chars().next() else {
        return Err(NameError::Empty);
    };
    if name.len() > NAME_LIMIT {
        return Err(NameError::TooLong { bytes: name.len(), limit: NAME_LIMIT });
    }
    if let Some(character) =
        name.chars().find(|&c| c.is_control() || matches!(c, '/' | '\\' | ':' | '\u{2028}' | '\u{2029}'))
    {
        return Err(NameError::Character { character });
    }
    if matches!(first, '.' | '-') {
        return Err(NameError::Start(first));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_escape_are_refused() {
        for name in ["", ".", "..", "../x", "a/b", "a\\b", "a\nb", "-rf", "a\0b", &"x".repeat(201)] {
            assert!(check_name(name).is_err(), "{name:?} was accepted");
        }
        for name in ["yolov8n-coco-onnx", "squeezenet1.1", "模型", "a b"] {
            assert_eq!(check_name(name), Ok(()), "{name:?}");
        }
    }
}
