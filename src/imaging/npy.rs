//! Tensors in NumPy's `.npy` files, as far as networks need them: numbers of 32 bits in C order.

/// Bytes that every `.npy` file begins with.
const MAGIC: &[u8] = b"\x93NUMPY";

/// Most axes of a tensor.
const RANK_LIMIT: usize = 32;

/// Why a `.npy` file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NpyError {
    /// The bytes are of another kind.
    #[error("this is no `.npy` file: expected the start `\\x93NUMPY`")]
    NotNpy,
    /// The header cannot be read.
    #[error("the header of the `.npy` file cannot be read: {0}")]
    Header(String),
    /// The numbers are of another type, or in another order.
    #[error("the `.npy` file holds `{found}`, expected `<f4` in C order")]
    Type {
        /// What it says of its numbers.
        found: String,
    },
    /// There are more or fewer bytes than the shape says.
    #[error("the `.npy` file of shape {shape:?} has {found} bytes of numbers, expected {expected}")]
    Length {
        /// Of the header.
        shape: Vec<usize>,
        /// Bytes that makes.
        expected: usize,
        /// Bytes there are.
        found: usize,
    },
}

/// The value behind a key of the header, which is a Python dictionary of one line.
fn value<'a>(header: &'a str, key: &str) -> Result<&'a str, NpyError> {
    let absent = || NpyError::Header(format!("there is no `{key}`"));
    let (_, rest) = header.split_once(&format!("'{key}':")).ok_or_else(absent)?;
    Ok(rest.trim_start())
}

fn shape(header: &str) -> Result<Vec<usize>, NpyError> {
    let text = value(header, "shape")?;
    let inner = text.strip_prefix('(').and_then(|rest| rest.split_once(')')).map(|(inner, _)| inner);
    let inner = inner.ok_or_else(|| NpyError::Header("its `shape` is no tuple".to_owned()))?;
    let sides = inner.split(',').map(str::trim).filter(|side| !side.is_empty());
    let sides: Result<Vec<usize>, _> = sides.map(str::parse).collect();
    match sides {
        Ok(sides) if sides.len() <= RANK_LIMIT => Ok(sides),
        _ => Err(NpyError::Header(format!("its `shape` is `({inner})`"))),
    }
}

/// Shape and numbers of a file (NumPy's format, versions 1 to 3).
pub fn read_npy(bytes: &[u8]) -> Result<(Vec<usize>, Vec<f32>), NpyError> {
    let cut_short = || NpyError::Header("the file is cut short".to_owned());
    let rest = bytes.strip_prefix(MAGIC).ok_or(NpyError::NotNpy)?;
    let (&[major, _], rest) = rest.split_first_chunk::<2>().ok_or_else(cut_short)?;
    let (length, rest) = if major == 1 {
        let (length, rest) = rest.split_first_chunk::<2>().ok_or_else(cut_short)?;
        (usize::from(u16::from_le_bytes(*length)), rest)
    } else {
        let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(cut_short)?;
        (u32::from_le_bytes(*length) as usize, rest)
    };
    let (header, data) = rest.split_at_checked(length).ok_or_else(cut_short)?;
    let header = std::str::from_utf8(header).map_err(|error| NpyError::Header(error.to_string()))?;
    let kind = value(header, "descr")?;
    let kind = kind.strip_prefix('\'').and_then(|rest| rest.split_once('\'')).map_or(kind, |(kind, _)| kind);
    let is_c_order = value(header, "fortran_order")?.starts_with("False");
    if kind != "<f4" || !is_c_order {
        let order = if is_c_order { "" } else { " in Fortran order" };
        let kind: String = kind.chars().take(40).collect();
        return Err(NpyError::Type { found: format!("{kind}{order}") });
    }
    let shape = shape(header)?;
    let expected = shape.iter().try_fold(4_usize, |bytes, side| bytes.checked_mul(*side));
    match expected {
        Some(expected) if expected == data.len() => {
            let (numbers, _) = data.as_chunks::<4>();
            Ok((shape, numbers.iter().map(|number| f32::from_le_bytes(*number)).collect()))
        }
        _ => Err(NpyError::Length { shape, expected: expected.unwrap_or(usize::MAX), found: data.len() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(header.len()).expect("a short header").to_le_bytes();
        [MAGIC, &[1, 0], &length, header.as_bytes(), data].concat()
    }

    #[test]
    fn a_file_is_read_or_refused_with_a_reason() {
        let numbers: Vec<u8> = [1.5_f32, -2.0].iter().flat_map(|number| number.to_le_bytes()).collect();
        let header = |kind: &str, fortran: &str, shape: &str| {
            format!("{{'descr': '{kind}', 'fortran_order': {fortran}, 'shape': {shape}, }}   \n")
        };
        let good = file(&header("<f4", "False", "(1, 2)"), &numbers);
        assert_eq!(read_npy(&good), Ok((vec![1, 2], vec![1.5, -2.0])));
        let good = file(&header("<f4", "False", "(2,)"), &numbers);
        assert_eq!(read_npy(&good), Ok((vec![2], vec![1.5, -2.0])));
        let cases = [
            (b"PK\x03\x04".to_vec(), "this is no `.npy` file"),
            (MAGIC.to_vec(), "cut short"),
            (good[..40].to_vec(), "cut short"),
            (file(&header("<f8", "False", "(2,)"), &numbers), "holds `<f8`"),
            (file(&header("<f4", "True", "(2,)"), &numbers), "in Fortran order"),
            (file(&header("<f4", "False", "(3,)"), &numbers), "has 8 bytes of numbers, expected 12"),
            (file(&header("<f4", "False", "(99999999999, 99999999999)"), &numbers), "has 8 bytes"),
            (file(&header("<f4", "False", "(-1,)"), &numbers), "its `shape` is `(-1,)`"),
            (file("{}", &numbers), "there is no `descr`"),
        ];
        for (bytes, expected) in cases {
            let error = read_npy(&bytes).expect_err(expected).to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
