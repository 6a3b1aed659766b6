//! Targets that are paths of cards: from where they are meant, and which card they lead to.

use std::path::PathBuf;

use super::zoo::{Zoo, network_named};
use crate::base::fs;
use crate::base::tidy;
use crate::cards::find_cards;
use crate::cards::read_card_file;

impl Zoo {
    /// A target that is the path of a card is meant from where the user stands, and may lead there in any way: over `..`, or
    /// through a link to the card or to a folder above it.
    pub(super) fn relative_target(&self, target: &str) -> String {
        let Some((path, real)) = self.typed_file(target) else { return target.to_owned() };
        let folder = path.parent().and_then(|folder| fs::canonical(folder).ok());
        let through_folder = folder.zip(path.file_name()).map(|(folder, name)| folder.join(name));
        let ways = [Some(tidy(&path)), through_folder, Some(real.clone())];
        let mut files = ways
            .into_iter()
            .flatten()
            .filter(|way| fs::canonical(way).is_ok_and(|found| found == real))
            .map(|way| self.shown(&way));
        let is_card = |file: &String| {
            self.catalog.cards.iter().any(|card| card.file == *file)
                || self.catalog.broken.iter().any(|card| card.file == *file)
        };
        files.find(is_card).unwrap_or_else(|| target.to_owned())
    }

    /// A file as it was typed, from where the user stands or else from the root, and without links.
    fn typed_file(&self, target: &str) -> Option<(PathBuf, PathBuf)> {
        let ways = [&self.standing, self.root()].map(|folder| folder.join(target));
        ways.into_iter().find_map(|way| {
            let real = fs::canonical(&way).ok().filter(|real| fs::is_file(real))?;
            Some((way, real))
        })
    }

    /// The network that the card at a path describes, if there is one that says its name; the zoo's cards need not be read.
    pub(super) fn network_of_file(&self, target: &str) -> Option<String> {
        network_named(target).is_none().then_some(())?;
        let (_, real) = self.typed_file(target)?;
        let (cards, _) = find_cards(self.options());
        let card = cards.iter().find(|card| fs::canonical(&card.path).is_ok_and(|path| path == real))?;
        let catalog = read_card_file(&card.path, self.options());
        let card = catalog.cards.into_iter().next().map(|card| card.name.value);
        card.or_else(|| catalog.broken.into_iter().next()?.name)
    }
}
