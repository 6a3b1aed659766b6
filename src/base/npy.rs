//! NumPy's file of one array (`.npy`, format versions 1 to 3): 32-bit floats and int8, row-major.

use std::fmt::Write as _;

/// The first bytes of every file.
const MAGIC: &[u8] = b"\x93NUMPY";

/// The elements of an array.
#[derive(Debug, Clone, PartialEq)]
pub enum Elements {
    /// `<f4`
    F32(Vec<f32>),
    /// `|i1`
    I8(Vec<i8>),
}

/// An array: a shape and as many elements as its product, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Dimensions, outermost first; none of a scalar.
    pub shape: Vec<usize>,
    /// Its elements.
    pub elements: Elements,
}

/// Why bytes are no array that can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NpyError {
    /// It does not begin as such a file does.
    #[error("it is no .npy file")]
    NotNpy,
    /// The header is not the three entries of the format.
    #[error("its header cannot be read: `{0}`")]
    Header(String),
    /// Another element type.
    #[error("its elements are `{0}`; expected float32 (`<f4`) or int8 (`|i1`)")]
    Type(String),
    /// The first axis runs fastest.
    #[error("its elements are in Fortran order; expected C order")]
    Fortran,
    /// Fewer or more bytes than the shape says.
    #[error("its shape {shape:?} takes {expected} bytes, found {found}")]
    Size {
        /// As the header says.
        shape: Vec<usize>,
        /// Bytes of so many elements.
        expected: u64,
        /// Bytes behind the header.
        found: usize,
    },
}

/// The text between the first `from` and the next `to` behind a key of the header's dictionary.
fn entry<'a>(header: &'a str, key: &str, from: &str, to: &str) -> Option<&'a str> {
    let (_, rest) = header.split_once(&format!("'{key}':"))?;
    let rest = rest.trim_start().strip_prefix(from)?;
    rest.split_once(to).map(|(value, _)| value)
}

impl Array {
    /// Reads a file's bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, NpyError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(NpyError::NotNpy)?;
        let (length, rest) = match *rest {
            [1, _, a, b, ref rest @ ..] => (usize::from(u16::from_le_bytes([a, b])), rest),
            [2 | 3, _, a, b, c, d, ref rest @ ..] => (u32::from_le_bytes([a, b, c, d]) as usize, rest),
            _ => return Err(NpyError::NotNpy),
        };
        let (header, data) = rest.split_at_checked(length).ok_or(NpyError::NotNpy)?;
        let header = String::from_utf8_lossy(header);
        let wrong = || NpyError::Header(header.trim().chars().take(200).collect());
        let shape = entry(&header, "shape", "(", ")").ok_or_else(wrong)?;
        let sizes = shape.split(',').map(str::trim).filter(|size| !size.is_empty());
        let shape: Vec<usize> = sizes.map(str::parse).collect::<Result<_, _>>().map_err(|_| wrong())?;
        let kind = entry(&header, "descr", "'", "'").ok_or_else(wrong)?;
        let width = match kind {
            "<f4" => 4_u64,
            "|i1" | "<i1" => 1,
            other => return Err(NpyError::Type(other.to_owned())),
        };
        match entry(&header, "fortran_order", "", ",").map(str::trim) {
            Some("False") => {}
            Some("True") if shape.len() < 2 => {}
            Some("True") => return Err(NpyError::Fortran),
            _ => return Err(wrong()),
        }
        let count = shape.iter().try_fold(width, |count, &size| count.checked_mul(size as u64));
        let expected = count.unwrap_or(u64::MAX);
        if expected != data.len() as u64 {
            return Err(NpyError::Size { shape, expected, found: data.len() });
        }
        let elements = if width == 4 {
            Elements::F32(data.as_chunks().0.iter().map(|&word| f32::from_le_bytes(word)).collect())
        } else {
            Elements::I8(data.iter().map(|&byte| byte as i8).collect())
        };
        Ok(Self { shape, elements })
    }

    /// The file: version 1, or 2 of a header that is too long for it; data begin at a multiple of 64 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let kind = match self.elements {
            Elements::F32(_) => "<f4",
            Elements::I8(_) => "|i1",
        };
        let mut header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': (");
        for size in &self.shape {
            let _ = write!(header, "{size}, ");
        }
        let mut header = header.trim_end_matches(' ').to_owned();
        if self.shape.len() > 1 {
            header.pop();
        }
        header.push_str("), }");
        let is_long = header.len() + 74 > usize::from(u16::MAX);
        let start = MAGIC.len() + if is_long { 6 } else { 4 };
        let length = (start + header.len() + 1).next_multiple_of(64) - start;
        while header.len() + 1 < length {
            header.push(' ');
        }
        header.push('\n');
        let mut bytes = MAGIC.to_vec();
        if is_long {
            bytes.extend([2, 0]);
            bytes.extend((length as u32).to_le_bytes());
        } else {
            bytes.extend([1, 0]);
            bytes.extend((length as u16).to_le_bytes());
        }
        bytes.extend(header.as_bytes());
        match &self.elements {
            Elements::F32(elements) => bytes.extend(elements.iter().flat_map(|element| element.to_le_bytes())),
            Elements::I8(elements) => bytes.extend(elements.iter().map(|&element| element as u8)),
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_numpy_writes() {
        let array = Array { shape: vec![2], elements: Elements::F32(vec![1.0, -2.5]) };
        let mut expected =
            b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }".to_vec();
        expected.resize(127, b' ');
        expected.extend(b"\n\x00\x00\x80\x3f\x00\x00\x20\xc0");
        assert_eq!(array.to_bytes(), expected);
        for shape in [vec![], vec![3], vec![1, 3, 1]] {
            let count = shape.iter().product();
            let array = Array { shape, elements: Elements::I8(vec![-5; count]) };
            assert_eq!(Array::parse(&array.to_bytes()), Ok(array));
        }
    }

    #[test]
    fn what_is_no_such_array_is_refused_by_name() {
        let file = |header: &str, data: usize| {
            let mut bytes = MAGIC.to_vec();
            bytes.extend([1, 0]);
            bytes.extend((header.len() as u16).to_le_bytes());
            bytes.extend(header.as_bytes());
            bytes.resize(bytes.len() + data, 0);
            Array::parse(&bytes).expect_err("it is wrong").to_string()
        };
        let cases = [
            ("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }", 8, "`<f8`"),
            ("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2), }", 8, "Fortran"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", 8, "takes 12 bytes, found 8"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 99999999999), }", 8, "found 8"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (x,), }", 8, "header"),
            ("{}", 0, "header"),
        ];
        for (header, data, expected) in cases {
            assert!(file(header, data).contains(expected), "{header}: {}", file(header, data));
        }
        assert_eq!(Array::parse(b"PK\x03\x04"), Err(NpyError::NotNpy));
        assert_eq!(Array::parse(b"\x93NUMPY\x01\x00\xff\xff{"), Err(NpyError::NotNpy));
    }
}
