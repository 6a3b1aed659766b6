//! Checking a whole zoo: card by card, each on one thread and forgotten when it has been checked, so that memory does not
//! grow with the zoo; what the last run found and still holds is not looked for again.

use std::collections::HashSet;
use std::path::Path;

use rayon::prelude::*;

use super::Checked;
use super::memory::Found;
use super::memory::Memory;
use super::memory::Run;
use super::memory::Seen;
use super::problems_of;
use super::problems_of_parts;
use crate::base::fs;
use crate::base::moment;
use crate::base::watched;
use crate::cards::CardFile;
use crate::cards::CardReader;
use crate::cards::find_cards;
use crate::cli::args::ConfigFlags;
use crate::cli::failure::Failure;
use crate::cli::zoo::Zoo;
use crate::store::Store;
use crate::store::StoreError;

/// The file in the cache folder.
const FILE: &str = "checked.jsonl";

/// Checks every card; `None` where cards must be seen together: two have one name.
pub(super) fn check(zoo: &Zoo) -> Result<Option<Checked>, Failure> {
    let options = zoo.options();
    let (files, problems) = find_cards(options);
    let run =
        Run { root: zoo.root(), circumstances: zoo.circumstances(), variables: &options.variables, began: moment() };
    let mut memory = Memory::load(&zoo.cache().join(FILE), &run);
    let reader = CardReader::new(options);
    let recalled = memory.recall(&files, zoo.root());
    let seen: Vec<(Found, Seen)> = files
        .par_iter()
        .zip(recalled)
        .map(|(file, recalled)| {
            if let Some(known) = recalled {
                return Ok(known);
            }
            let (found, looked) = watched(|| examine(zoo, &reader, file));
            Ok((found?, Seen::Now(looked)))
        })
        .collect::<Result<_, Failure>>()?;
    let cards: Vec<(&str, &Found, &Seen)> =
        files.iter().zip(&seen).map(|(file, (found, seen))| (file.name.as_str(), found, seen)).collect();
    if let Some(bytes) = memory.next(&run, &cards) {
        // What cannot be kept is found again next time.
        let _ = keep(&zoo.cache(), &bytes);
    }
    if has_a_name_twice(&seen) {
        return Ok(None);
    }
    let mut checked = Checked { problems: zoo.graded(problems), ..Checked::default() };
    for (found, _) in seen {
        checked.networks += usize::from(found.models.is_some());
        checked.models += found.models.unwrap_or_default();
        checked.problems.extend(found.problems);
    }
    Ok(Some(checked))
}

/// Writes the memory. A folder that is made for it keeps itself out of version control: whoever only checks cards expects no
/// new files among them. Nothing is written into a folder that is somebody else's.
fn keep(cache: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    Store::check_folder(cache)?;
    if !fs::exists(cache) {
        fs::write_atomic(&cache.join(".gitignore"), b"*\n")?;
    }
    Ok(fs::write_atomic(&cache.join(FILE), bytes)?)
}

/// Reads and checks one card.
fn examine(zoo: &Zoo, reader: &CardReader<'_>, file: &CardFile) -> Result<Found, Failure> {
    let reading = reader.read(file);
    let mut problems = zoo.graded(reading.problems);
    let Some(card) = reading.card else {
        if let Some(card) = &reading.parts {
            let more = problems_of_parts(zoo, card, &problems)?;
            problems.extend(more);
        }
        return Ok(Found { name: None, models: None, problems });
    };
    let network = zoo.network_of(&card, &ConfigFlags::default())?;
    problems.extend(problems_of(zoo, &network));
    Ok(Found { name: Some(card.name.value.clone()), models: Some(network.models.len()), problems })
}

fn has_a_name_twice(seen: &[(Found, Seen)]) -> bool {
    let mut names: HashSet<&str> = HashSet::new();
    seen.iter().filter_map(|(found, _)| found.name.as_deref()).any(|name| !names.insert(name))
}
