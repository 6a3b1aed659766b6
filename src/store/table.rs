//! A map from bytes to bytes that is loaded by one read and not parsed: the form in which state and stat index lie on
//! disk.
//!
//! Layout, all numbers little-endian: magic (16 bytes), number of entries `n` (u64), `n` hashes of the keys in
//! ascending order (u64), `n + 1` offsets into the data (u64), the data (for each entry the key's length as u32, the
//! key, the value), and the BLAKE3 digest of all of it (32 bytes). A lookup is a binary search over the hashes, so
//! loading costs one read and one hash however many entries there are.

use std::collections::BTreeMap;

use crate::base::Digest;

const MAGIC: &[u8; 16] = b"axzoo table 1\n\0\0";
const HEAD: usize = MAGIC.len() + 8;

/// A loaded table. Anything that is not whole is no table at all: what lies in tables can be made again.
#[derive(Debug, Default)]
pub(super) struct Table {
    bytes: Vec<u8>,
    count: usize,
}

/// FNV-1a, 64 bits: only spreads the keys; equality is decided by the keys themselves.
fn spread(key: &[u8]) -> u64 {
    key.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

impl Table {
    /// The table in `bytes`; `None` when they are not a whole table.
    pub(super) fn load(bytes: Vec<u8>) -> Option<Self> {
        let body = bytes.len().checked_sub(32)?;
        let (content, digest) = bytes.split_at(body);
        if !content.starts_with(MAGIC) || Digest::of(content).as_bytes() != digest {
            return None;
        }
        let count = usize::try_from(number(content, MAGIC.len())?).ok()?;
        let table_end = count.checked_mul(16)?.checked_add(HEAD + 8)?;
        if table_end > body {
            return None;
        }
        Some(Self { bytes, count })
    }

    /// A table's bytes.
    pub(super) fn encode(entries: &BTreeMap<Vec<u8>, Vec<u8>>) -> Vec<u8> {
        let mut sorted: Vec<(u64, &[u8], &[u8])> =
            entries.iter().map(|(key, value)| (spread(key), key.as_slice(), value.as_slice())).collect();
        sorted.sort_unstable();
        let data: usize = sorted.iter().map(|(_, key, value)| 4 + key.len() + value.len()).sum();
        let mut bytes = Vec::with_capacity(HEAD + 8 + sorted.len() * 16 + data + 32);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&(sorted.len() as u64).to_le_bytes());
        for (hash, ..) in &sorted {
            bytes.extend_from_slice(&hash.to_le_bytes());
        }
        let mut offset = 0_u64;
        bytes.extend_from_slice(&offset.to_le_bytes());
        for (_, key, value) in &sorted {
            offset += (4 + key.len() + value.len()) as u64;
            bytes.extend_from_slice(&offset.to_le_bytes());
        }
        for (_, key, value) in &sorted {
            bytes.extend_from_slice(&(key.len() as u32).to_le_bytes());
            bytes.extend_from_slice(key);
            bytes.extend_from_slice(value);
        }
        let digest = Digest::of(&bytes);
        bytes.extend_from_slice(digest.as_bytes());
        bytes
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let wanted = spread(key);
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low.midpoint(high);
            if self.hash(middle)? < wanted { low = middle + 1 } else { high = middle }
        }
        while low < self.count && self.hash(low)? == wanted {
            let (found, value) = self.entry(low)?;
            if found == key {
                return Some(value);
            }
            low += 1;
        }
        None
    }

    /// All keys and values, in an order that depends on nothing but the keys.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        (0..self.count).filter_map(|index| self.entry(index))
    }

    fn hash(&self, index: usize) -> Option<u64> {
        number(&self.bytes, HEAD + index * 8)
    }

    fn entry(&self, index: usize) -> Option<(&[u8], &[u8])> {
        let offsets = HEAD + self.count * 8;
        let data = offsets + (self.count + 1) * 8;
        let start = data.checked_add(usize::try_from(number(&self.bytes, offsets + index * 8)?).ok()?)?;
        let end = data.checked_add(usize::try_from(number(&self.bytes, offsets + index * 8 + 8)?).ok()?)?;
        let (length, rest) = self.bytes.get(start..end)?.split_first_chunk::<4>()?;
        rest.split_at_checked(u32::from_le_bytes(*length) as usize)
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_table_holds_what_was_put_in(
            entries in proptest::collection::btree_map(
                proptest::collection::vec(any::<u8>(), 0..6), proptest::collection::vec(any::<u8>(), 0..6), 0..40),
            absent in proptest::collection::vec(any::<u8>(), 0..6),
        ) {
            let table = Table::load(Table::encode(&entries)).expect("a table reads back");
            for (key, value) in &entries {
                prop_assert_eq!(table.get(key), Some(value.as_slice()));
            }
            prop_assert_eq!(table.get(&absent), entries.get(&absent).map(Vec::as_slice));
            let read: BTreeMap<Vec<u8>, Vec<u8>> =
                table.iter().map(|(key, value)| (key.to_vec(), value.to_vec())).collect();
            prop_assert_eq!(read, entries);
        }

        #[test]
        fn a_damaged_table_is_no_table(at in 0_usize..200, cut in 0_usize..200) {
            let entries = [(b"key".to_vec(), b"value".to_vec()), (b"other".to_vec(), Vec::new())].into();
            let whole = Table::encode(&entries);
            let mut changed = whole.clone();
            let place = at % whole.len();
            changed[place] ^= 1;
            prop_assert!(Table::load(changed).is_none());
            prop_assert!(Table::load(whole[..cut % whole.len()].to_vec()).is_none());
        }
    }
}
