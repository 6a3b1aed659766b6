//! The pool of constants: one file, each constant at a multiple of a device word.

use serde::{Deserialize, Serialize};

use crate::compiler::device::WORD;

/// Where a constant lies in the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::compiler) struct Span {
    /// First byte.
    pub(in crate::compiler) offset: usize,
    /// Bytes.
    pub(in crate::compiler) length: usize,
}

/// Constants being gathered.
#[derive(Debug, Default)]
pub(in crate::compiler) struct Pool {
    bytes: Vec<u8>,
}

impl Pool {
    fn add(&mut self, bytes: impl Iterator<Item = u8>) -> Span {
        self.bytes.resize(self.bytes.len().next_multiple_of(WORD), 0);
        let offset = self.bytes.len();
        self.bytes.extend(bytes);
        Span { offset, length: self.bytes.len() - offset }
    }

    pub(in crate::compiler) fn int8(&mut self, values: &[i8]) -> Span {
        self.add(values.iter().map(|&value| value as u8))
    }

    pub(in crate::compiler) fn int32(&mut self, values: &[i32]) -> Span {
        self.add(values.iter().flat_map(|value| value.to_le_bytes()))
    }

    pub(in crate::compiler) fn float32(&mut self, values: &[f32]) -> Span {
        self.add(values.iter().flat_map(|value| value.to_le_bytes()))
    }

    /// Bytes so far, up to a whole word.
    pub(in crate::compiler) fn bytes(&self) -> usize {
        self.bytes.len().next_multiple_of(WORD)
    }

    /// The file, a whole number of words.
    pub(in crate::compiler) fn finish(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len().next_multiple_of(WORD), 0);
        self.bytes
    }
}

/// Reads constants back.
#[derive(Debug, Clone, Copy)]
pub(in crate::compiler) struct Constants<'a>(pub(in crate::compiler) &'a [u8]);

impl Constants<'_> {
    fn bytes(&self, span: Span) -> Result<&[u8], String> {
        let end = span.offset.checked_add(span.length);
        end.and_then(|end| self.0.get(span.offset..end)).ok_or_else(|| {
            let (offset, length, size) = (span.offset, span.length, self.0.len());
            format!("a constant of {length} bytes at {offset} lies outside the {size} bytes of constants")
        })
    }

    fn words(&self, span: Span) -> Result<impl Iterator<Item = [u8; 4]>, String> {
        let (words, rest) = self.bytes(span)?.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(format!("a constant of {} bytes is no whole number of 32-bit values", span.length));
        }
        Ok(words.iter().copied())
    }

    pub(in crate::compiler) fn int8(&self, span: Span) -> Result<Vec<i8>, String> {
        Ok(self.bytes(span)?.iter().map(|&byte| byte as i8).collect())
    }

    pub(in crate::compiler) fn int32(&self, span: Span) -> Result<Vec<i32>, String> {
        Ok(self.words(span)?.map(i32::from_le_bytes).collect())
    }

    pub(in crate::compiler) fn float32(&self, span: Span) -> Result<Vec<f32>, String> {
        Ok(self.words(span)?.map(f32::from_le_bytes).collect())
    }
}
