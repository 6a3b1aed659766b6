//! Values in bytes, one after the other.

use crate::base::Digest;

/// Reads values from the front; `None` once they are used up.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn chunk<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (chunk, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*chunk)
    }

    pub(super) fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(super) fn number(&mut self) -> Option<u32> {
        self.chunk().map(u32::from_le_bytes)
    }

    pub(super) fn long(&mut self) -> Option<u64> {
        self.chunk().map(u64::from_le_bytes)
    }

    pub(super) fn digest(&mut self) -> Option<Digest> {
        self.chunk().map(Digest::from_bytes)
    }

    /// Bytes behind their length.
    pub(super) fn part(&mut self) -> Option<&'a [u8]> {
        let length = self.number()? as usize;
        self.bytes(length)
    }

    pub(super) fn text(&mut self) -> Option<String> {
        Some(String::from_utf8_lossy(self.part()?).into_owned())
    }
}

/// Writes bytes behind their length, for [`Reader::part`].
pub(super) fn write_part(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend_from_slice(&(part.len() as u32).to_le_bytes());
    bytes.extend_from_slice(part);
}
