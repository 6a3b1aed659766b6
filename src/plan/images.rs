//! Which images a model is calibrated on and which it is measured on (SPEC 8, "Calibration images of a card").

use std::path::{Path, PathBuf};

use crate::base::SplitMix;
use crate::base::fs;
use crate::base::fs::Below;
use crate::base::fs::FsError;

/// Images by their extension; other files in the folders are ignored.
const EXTENSIONS: [&str; 5] = ["bmp", "jpeg", "jpg", "png", "webp"];

/// The most held-out images that a report is made from: more cost time and change no verdict.
pub const EVALUATION_LIMIT: usize = 256;

/// The images below a folder, sorted by relative path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFolder {
    /// The folder.
    pub folder: PathBuf,
    /// Paths below it, `/` between the parts.
    pub images: Vec<String>,
}

impl ImageFolder {
    /// Searches a folder recursively. An image whose path below the folder is not UTF-8 is an error: results are told from
    /// each other by names that are text.
    pub fn read(folder: &Path) -> Result<Self, FsError> {
        let is_image = |name: &str| {
            let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
            EXTENSIONS.contains(&extension.as_str())
        };
        let Below { files: mut images, unnamed, .. } = fs::look_below(folder)?;
        if let Some(image) = unnamed.into_iter().find(|path| is_image(&path.to_string_lossy())) {
            return Err(FsError::not_utf8(folder, &image));
        }
        images.retain(|name| is_image(name));
        Ok(Self { folder: folder.to_owned(), images })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// The images of one model.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Images {
    /// For calibration, in order.
    pub calibration: Vec<PathBuf>,
    /// For measuring: none of them is used for calibration.
    pub evaluation: Vec<PathBuf>,
    /// The class of each image in `evaluation`, where folders tell it; else empty.
    pub labels: Vec<usize>,
}

/// Picks images: the first `count` of the calibration folder, by name or shuffled by `seed`; for measuring those of
/// `held_out`, else what calibration left over. At most [`EVALUATION_LIMIT`] are measured on, evenly spread.
///
/// Classes: when `held_out` has exactly `class_count` sub-folders with images, each is a class, in the order of
/// their names.
#[must_use]
pub fn choose(
    folder: &ImageFolder,
    held_out: Option<&ImageFolder>,
    count: usize,
    seed: Option<u64>,
    class_count: usize,
) -> Images {
    let mut names: Vec<&String> = folder.images.iter().collect();
    if let Some(seed) = seed {
        shuffle(&mut names, seed);
    }
    let rest = names.split_off(count.min(names.len()));
    let calibration: Vec<PathBuf> = names.into_iter().map(|name| folder.path(name)).collect();
    let Some(held_out) = held_out else {
        let mut rest: Vec<PathBuf> = rest.into_iter().map(|name| folder.path(name)).collect();
        rest.sort();
        return Images { calibration, evaluation: spread(&rest), labels: Vec::new() };
    };
    let classes = classes(held_out);
    let labelled = classes.len() == class_count;
    let used: std::collections::BTreeSet<&PathBuf> = calibration.iter().collect();
    let candidates: Vec<(PathBuf, usize)> = held_out
        .images
        .iter()
        .map(|name| {
            let class = name.split_once('/').and_then(|(class, _)| classes.iter().position(|other| *other == class));
            (held_out.path(name), class)
        })
        .filter(|(path, class)| !used.contains(path) && (!labelled || class.is_some()))
        .map(|(path, class)| (path, class.unwrap_or(0)))
        .collect();
    let (evaluation, labels): (Vec<_>, Vec<_>) = spread(&candidates).into_iter().unzip();
    Images { calibration, evaluation, labels: if labelled { labels } else { Vec::new() } }
}

/// The sub-folders that hold images, sorted as their images are.
fn classes(folder: &ImageFolder) -> Vec<&str> {
    let mut classes: Vec<&str> =
        folder.images.iter().filter_map(|name| name.split_once('/').map(|(class, _)| class)).collect();
    classes.sort_unstable();
    classes.dedup();
    classes
}

fn spread<T: Clone>(items: &[T]) -> Vec<T> {
    if items.len() <= EVALUATION_LIMIT {
        return items.to_vec();
    }
    let place = |index: usize| index * items.len() / EVALUATION_LIMIT;
    (0..EVALUATION_LIMIT).filter_map(|index| items.get(place(index)).cloned()).collect()
}

/// Fisher and Yates: the same order for the same seed on every machine.
fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut numbers = SplitMix::new(seed);
    for last in (1..items.len()).rev() {
        // The bias of the remainder is below 2⁻⁴⁰ for any number of images that fits a disk.
        items.swap(last, (numbers.draw() % (last as u64 + 1)) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(images: &[&str]) -> ImageFolder {
        ImageFolder { folder: PathBuf::from("/d"), images: images.iter().map(|&name| name.to_owned()).collect() }
    }

    #[test]
    fn what_calibration_leaves_over_is_measured_on() {
        let images = choose(&folder(&["a.png", "b.png", "c.png"]), None, 2, None, 10);
        assert_eq!(images.calibration, [PathBuf::from("/d/a.png"), PathBuf::from("/d/b.png")]);
        assert_eq!(images.evaluation, [PathBuf::from("/d/c.png")]);
        assert!(images.labels.is_empty());
    }

    #[test]
    fn folders_are_classes_only_when_there_are_as_many() {
        let held_out = folder(&["0/a.png", "1/b.png", "1/c.png", "x.png"]);
        let images = choose(&folder(&["k.png"]), Some(&held_out), 1, None, 2);
        assert_eq!(images.labels, [0, 1, 1]);
        assert_eq!(images.evaluation.len(), 3);
        let images = choose(&folder(&["k.png"]), Some(&held_out), 1, None, 3);
        assert!(images.labels.is_empty());
        assert_eq!(images.evaluation.len(), 4);
    }

    #[test]
    fn a_seed_shuffles_the_same_way_every_time() {
        let names: Vec<String> = (0..100).map(|number| format!("{number:03}.png")).collect();
        let folder = ImageFolder { folder: PathBuf::from("/d"), images: names };
        let by_seed = |seed| choose(&folder, None, 50, Some(seed), 1).calibration;
        assert_eq!(by_seed(1), by_seed(1));
        assert_ne!(by_seed(1), by_seed(2));
        assert_eq!(by_seed(1).len(), 50);
    }

    #[test]
    fn a_large_set_is_spread_over() {
        let names: Vec<String> = (0..1000).map(|number| format!("{number:04}.png")).collect();
        let folder = ImageFolder { folder: PathBuf::from("/d"), images: names };
        let images = choose(&folder, None, 0, None, 1);
        assert_eq!(images.evaluation.len(), EVALUATION_LIMIT);
        assert_eq!(images.evaluation[1], PathBuf::from("/d/0003.png"));
    }
}
