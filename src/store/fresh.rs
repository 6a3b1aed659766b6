//! What the last build found to be right, card by card, so that a card need not be read again, nor a step be made of it, while
//! nothing that its verdict came from has changed.
//!
//! It only saves work: without it, or when it is not whole or was made under other circumstances, everything is looked at. A
//! card counts when every path that was looked at for it is as it was: those that reading and planning asked about
//! ([`crate::base::watched`]), the source files of its steps, and what was installed for it. Which circumstances hold for all
//! cards is the [`Basis`]; the state among them, so that any other run that changed a result makes all of it void.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::path::PathBuf;

use rayon::prelude::*;

use super::reader::{Reader, write_part};
use crate::base::Digest;
use crate::base::Fingerprint;
use crate::base::fs;
use crate::plan::StepKind;

const MAGIC: &[u8; 16] = b"axzoo fresh 2\n\0\0";

/// What must be as it was for anything remembered to count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basis {
    /// Of settings, program, flags and folder.
    pub circumstances: Digest,
    /// Of the state of the build root: every result that counts.
    pub state: Digest,
    /// The journal's length, which no result that was taken back leaves as it was.
    pub journal: u64,
}

/// Variables of the environment with their values, `None` where there was none.
pub type Variables = BTreeMap<String, Option<String>>;

/// A path below the root, or an absolute one, with what was there.
pub(super) type SeenPath = (PathBuf, Option<Fingerprint>);

/// One step that is up to date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreshStep {
    /// Its model; `None` for what concerns the whole network.
    pub model: Option<String>,
    /// Its kind.
    pub kind: StepKind,
    /// Its key.
    pub key: Digest,
}

/// One card that is up to date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreshCard {
    /// Its file, as users see it.
    pub file: String,
    /// Its network; `None` where the file is no card.
    pub network: Option<String>,
    /// The network's steps, in the order of the plan.
    pub steps: Vec<FreshStep>,
    /// What there was to say of it, in the words of whoever says it; empty when there was nothing.
    pub said: Vec<u8>,
    /// Every path that this was found from.
    pub looked: Vec<(PathBuf, Option<Fingerprint>)>,
}

/// A card in the bytes.
#[derive(Debug)]
struct Known {
    file: Range<usize>,
    network: Option<Range<usize>>,
    /// Four bytes for each path.
    looked: Range<usize>,
    steps: Range<usize>,
    said: Range<usize>,
    step_count: u32,
    holds: bool,
}

/// What is remembered, and which of it still holds.
#[derive(Debug)]
pub struct FreshCards {
    bytes: Vec<u8>,
    variables: Variables,
    /// Where each path's entry is: one byte whether it was there, its fingerprint, its length and text.
    paths: Vec<Range<usize>>,
    cards: Vec<Known>,
}

impl FreshCards {
    /// Reads a file's bytes and looks at every path in it again; `None` when it is not whole, or was made on another basis.
    #[must_use]
    pub fn load(
        bytes: Vec<u8>,
        basis: &Basis,
        root: &Path,
        is_so: impl Fn(&str, Option<&str>) -> bool,
    ) -> Option<Self> {
        let end = bytes.len().checked_sub(32)?;
        let (body, check) = bytes.split_at_checked(end)?;
        if !body.starts_with(MAGIC) || Digest::of_many(body).as_bytes() != check {
            return None;
        }
        let mut reader = Reader(body.get(MAGIC.len()..)?);
        let found = Basis { circumstances: reader.digest()?, state: reader.digest()?, journal: reader.long()? };
        if found != *basis {
            return None;
        }
        let variables = read_variables(&mut reader)?;
        if !variables.iter().all(|(name, value)| is_so(name, value.as_deref())) {
            return None;
        }
        let at = |reader: &Reader<'_>| end - reader.0.len();
        let mut paths = Vec::new();
        for _ in 0..reader.number()? {
            let start = at(&reader);
            reader.bytes(1 + Fingerprint::BYTES)?;
            reader.part()?;
            paths.push(start..at(&reader));
        }
        let mut cards = Vec::new();
        for _ in 0..reader.number()? {
            let mut part = || {
                let part = reader.part()?;
                let end = at(&reader);
                Some(end - part.len()..end)
            };
            let (file, network, looked, steps, said) = (part()?, part()?, part()?, part()?, part()?);
            let step_count = reader.number()?;
            let network = Some(network).filter(|range| !range.is_empty());
            cards.push(Known { file, network, looked, steps, said, step_count, holds: false });
        }
        let mut fresh = Self { bytes, variables, paths, cards };
        fresh.look(root)?;
        Some(fresh)
    }

    fn look(&mut self, root: &Path) -> Option<()> {
        let folder = fs::open(root).ok()?;
        let is_same = |range: &Range<usize>| {
            let Some(entry) = self.bytes.get(range.clone()) else { return false };
            let (fingerprint, path) = entry.split_at(1 + Fingerprint::BYTES);
            let found = Fingerprint::below(&folder, path.get(4..).unwrap_or_default());
            match found {
                Some(found) => fingerprint.first() == Some(&1) && fingerprint.get(1..) == Some(&found.to_bytes()[..]),
                None => fingerprint.first() == Some(&0),
            }
        };
        let same: Vec<bool> = self.paths.par_iter().with_min_len(256).map(is_same).collect();
        for card in &mut self.cards {
            let looked = self.bytes.get(card.looked.clone())?;
            let holds = |index: &[u8; 4]| same.get(u32::from_le_bytes(*index) as usize).copied().unwrap_or(false);
            card.holds = looked.as_chunks::<4>().0.iter().all(holds);
        }
        Some(())
    }

    fn text(&self, range: &Range<usize>) -> &str {
        self.bytes.get(range.clone()).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    /// Cards that are remembered, whether they still hold or not.
    #[must_use]
    pub const fn kept(&self) -> usize {
        self.cards.len()
    }

    /// The cards that still hold: file, network, and how many steps it has.
    pub fn holding(&self) -> impl Iterator<Item = (&str, Option<&str>, usize)> {
        let cards = self.cards.iter().filter(|card| card.holds);
        cards.map(|card| {
            (self.text(&card.file), card.network.as_ref().map(|name| self.text(name)), card.step_count as usize)
        })
    }

    /// What there was to say of the cards that still hold: the file, and the words; not of those of which there was nothing.
    pub fn said(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let cards = self.cards.iter().filter(|card| card.holds && !card.said.is_empty());
        cards.filter_map(|card| Some((self.text(&card.file), self.bytes.get(card.said.clone())?)))
    }

    /// The cards that still hold, whole.
    pub fn whole(&self) -> impl Iterator<Item = FreshCard> {
        self.cards.iter().filter(|card| card.holds).filter_map(|card| self.read(card))
    }

    /// The variables that were looked at.
    #[must_use]
    pub const fn variables(&self) -> &Variables {
        &self.variables
    }

    fn read(&self, card: &Known) -> Option<FreshCard> {
        let mut reader = Reader(self.bytes.get(card.steps.clone())?);
        let mut steps = Vec::new();
        for _ in 0..card.step_count {
            let [kind] = reader.chunk()?;
            let kind = *StepKind::ALL.get(usize::from(kind))?;
            let model = Some(reader.text()?).filter(|model| !model.is_empty());
            steps.push(FreshStep { model, kind, key: reader.digest()? });
        }
        let looked = self.bytes.get(card.looked.clone())?.as_chunks::<4>().0.iter().map(|index| {
            let entry = self.bytes.get(self.paths.get(u32::from_le_bytes(*index) as usize)?.clone())?;
            let mut reader = Reader(entry);
            let [is_there] = reader.chunk()?;
            let fingerprint = Fingerprint::from_bytes(&reader.chunk()?);
            let path = PathBuf::from(std::ffi::OsStr::from_bytes(reader.part()?));
            Some((path, (is_there == 1).then_some(fingerprint)))
        });
        Some(FreshCard {
            file: self.text(&card.file).to_owned(),
            network: card.network.as_ref().map(|name| self.text(name).to_owned()),
            steps,
            said: self.bytes.get(card.said.clone())?.to_vec(),
            looked: looked.collect::<Option<_>>()?,
        })
    }
}

fn read_variables(reader: &mut Reader<'_>) -> Option<Variables> {
    let mut variables = Variables::new();
    for _ in 0..reader.number()? {
        let name = reader.text()?;
        let [is_set] = reader.chunk()?;
        let value = reader.text()?;
        variables.insert(name, (is_set == 1).then_some(value));
    }
    Some(variables)
}

/// The file's bytes.
#[must_use]
pub fn encode_fresh(basis: &Basis, variables: &Variables, cards: &[FreshCard]) -> Vec<u8> {
    let mut paths = Vec::new();
    let mut indices: HashMap<&SeenPath, u32> = HashMap::new();
    let mut body = Vec::new();
    for card in cards {
        write_part(&mut body, card.file.as_bytes());
        write_part(&mut body, card.network.as_deref().unwrap_or_default().as_bytes());
        let mut looked = Vec::with_capacity(card.looked.len() * 4);
        for seen in &card.looked {
            let next = indices.len() as u32;
            let index = *indices.entry(seen).or_insert_with(|| {
                let (path, fingerprint) = seen;
                paths.push(u8::from(fingerprint.is_some()));
                paths.extend_from_slice(&fingerprint.map_or([0; Fingerprint::BYTES], Fingerprint::to_bytes));
                write_part(&mut paths, path.as_os_str().as_bytes());
                next
            });
            looked.extend_from_slice(&index.to_le_bytes());
        }
        write_part(&mut body, &looked);
        let mut steps = Vec::new();
        for step in &card.steps {
            steps.push(StepKind::ALL.iter().position(|kind| *kind == step.kind).unwrap_or_default() as u8);
            write_part(&mut steps, step.model.as_deref().unwrap_or_default().as_bytes());
            steps.extend_from_slice(step.key.as_bytes());
        }
        write_part(&mut body, &steps);
        write_part(&mut body, &card.said);
        body.extend_from_slice(&(card.steps.len() as u32).to_le_bytes());
    }
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(basis.circumstances.as_bytes());
    bytes.extend_from_slice(basis.state.as_bytes());
    bytes.extend_from_slice(&basis.journal.to_le_bytes());
    bytes.extend_from_slice(&(variables.len() as u32).to_le_bytes());
    for (name, value) in variables {
        write_part(&mut bytes, name.as_bytes());
        bytes.push(u8::from(value.is_some()));
        write_part(&mut bytes, value.as_deref().unwrap_or_default().as_bytes());
    }
    bytes.extend_from_slice(&(indices.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&paths);
    bytes.extend_from_slice(&(cards.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&body);
    let check = Digest::of_many(&bytes);
    bytes.extend_from_slice(check.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basis() -> Basis {
        Basis { circumstances: Digest::of(b"c"), state: Digest::of(b"s"), journal: 7 }
    }

    /// A folder with `one` and `two`, and cards that looked at one, at both, and at nothing.
    fn kept() -> (tempfile::TempDir, Vec<FreshCard>, Vec<u8>) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let seen = |name: &str| {
            let path = folder.path().join(name);
            let there = name != "absent";
            if there {
                fs::write(&path, b"x").expect("written");
            }
            (PathBuf::from(name), Fingerprint::of(&path))
        };
        let (one, two, absent) = (seen("one"), seen("two"), seen("absent"));
        assert!(one.1.is_some() && absent.1.is_none());
        let step = |model: Option<&str>| FreshStep {
            model: model.map(ToOwned::to_owned),
            kind: StepKind::Pack,
            key: Digest::of(b"k"),
        };
        let card = |file: &str, network: Option<&str>, steps, looked| FreshCard {
            file: file.to_owned(),
            network: network.map(ToOwned::to_owned),
            steps,
            said: file.as_bytes().to_vec(),
            looked,
        };
        let cards = vec![
            card("a.yaml", Some("a"), vec![step(Some("m")), step(None)], vec![one.clone(), absent]),
            card("b.yaml", Some("b"), vec![step(None)], vec![one, two]),
            card("note.yaml", None, Vec::new(), Vec::new()),
        ];
        let variables = Variables::from([("HOME".to_owned(), Some("/h".to_owned())), ("NONE".to_owned(), None)]);
        let bytes = encode_fresh(&basis(), &variables, &cards);
        (folder, cards, bytes)
    }

    fn load(bytes: &[u8], root: &Path) -> Option<FreshCards> {
        FreshCards::load(bytes.to_vec(), &basis(), root, |name, value| value == (name == "HOME").then_some("/h"))
    }

    #[test]
    fn what_was_found_is_found_again_until_a_path_changes() {
        let (folder, cards, bytes) = kept();
        let fresh = load(&bytes, folder.path()).expect("it reads back");
        assert_eq!(fresh.whole().collect::<Vec<_>>(), cards);
        fs::write(&folder.path().join("two"), b"yy").expect("written");
        let names = |fresh: &FreshCards| fresh.holding().map(|(file, ..)| file.to_owned()).collect::<Vec<_>>();
        assert_eq!(names(&load(&bytes, folder.path()).expect("it reads back")), ["a.yaml", "note.yaml"]);
        fs::write(&folder.path().join("absent"), b"").expect("written");
        assert_eq!(names(&load(&bytes, folder.path()).expect("it reads back")), ["note.yaml"]);
    }

    #[test]
    fn another_basis_another_variable_or_a_damaged_byte_void_all_of_it() {
        let (folder, _, bytes) = kept();
        let root = folder.path();
        let others = [
            Basis { circumstances: Digest::of(b"x"), ..basis() },
            Basis { state: Digest::of(b"x"), ..basis() },
            Basis { journal: 8, ..basis() },
        ];
        for other in others {
            assert!(FreshCards::load(bytes.clone(), &other, root, |_, _| true).is_none(), "{other:?}");
        }
        assert!(FreshCards::load(bytes.clone(), &basis(), root, |_, value| value.is_none()).is_none());
        for place in (0..bytes.len()).step_by(7) {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            assert!(load(&damaged, root).is_none(), "damaged at {place}");
            assert!(load(&bytes[..place], root).is_none(), "cut at {place}");
        }
    }
}
