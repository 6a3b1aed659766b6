//! Names that are made up beside those of a file.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

/// Names in use, with the next number to try behind each, so that a file full of equal names takes no longer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names(BTreeMap<String, u64>);

impl Names {
    pub(crate) fn new(names: BTreeSet<String>) -> Self {
        Self(names.into_iter().map(|name| (name, 1)).collect())
    }

    /// `base`, or `base` with the first free number behind it; the name counts as used from now on.
    pub(crate) fn unused(&mut self, base: &str) -> String {
        let Some(&first) = self.0.get(base) else {
            self.0.insert(base.to_owned(), 1);
            return base.to_owned();
        };
        let mut number = first;
        let mut name = format!("{base}_{number}");
        while self.0.contains_key(&name) {
            number += 1;
            name = format!("{base}_{number}");
        }
        self.0.insert(base.to_owned(), number + 1);
        self.0.insert(name.clone(), 1);
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_names_are_free() {
        let mut names = Names::new(["a", "a_1", "b"].map(str::to_owned).into());
        let made = ["a", "a", "c", "c", "b"].map(|base| names.unused(base));
        assert_eq!(made, ["a_2", "a_3", "c", "c_1", "b_1"]);
    }
}
