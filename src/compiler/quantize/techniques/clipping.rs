//! How far ranges are clipped. The bounds that fit each tensor best by themselves are too narrow where a network lives by its
//! largest values; so wider ones are tried. All images are wanted for ranges and for judging, so that is done in two
//! folds: each half of the images is judged under ranges that the other half (and what is fitted to) has chosen. Ranges
//! judged on images that chose them look better than they are, those with clipping most.

use std::ops::Range;

use crate::compiler::error::StageError;
use crate::compiler::quantize::Converted;
use crate::compiler::quantize::Technique;
use crate::compiler::quantize::techniques::gain::Gain;
use crate::compiler::quantize::techniques::gain::Noise;
use crate::compiler::quantize::techniques::trial::Choice;
use crate::compiler::quantize::techniques::trial::Fold;
use crate::compiler::quantize::techniques::trial::Ready;
use crate::compiler::quantize::techniques::trial::Trial;
use crate::compiler::reference::Executor;

/// How many times more what is clipped counts, when ranges are chosen: mild clipping, and none.
const MILDER: [f64; 2] = [4.0, f64::INFINITY];

/// Clipping that was judged.
pub(super) struct Milder {
    /// How many times more what is clipped counts.
    pub(super) clipping: f64,
    /// Against what counts once.
    pub(super) gain: Gain,
    /// Whether it pays.
    pub(super) pays: bool,
}

impl Milder {
    /// As it stands in the report.
    pub(super) fn technique(&self) -> Technique {
        if self.clipping.is_finite() { Technique::MilderClipping } else { Technique::NoClipping }
    }
}

impl Trial<'_> {
    /// Tries milder clipping; `None` where there are too few images for two folds.
    ///
    /// The images that tell most are asked first about the first of them: where they speak against it, the others are not run.
    /// That it pays has to be beyond chance on all images; then those that tell most say whether the second is better still.
    pub(super) fn milder_clipping(&self) -> Result<Option<Milder>, StageError> {
        if self.folds.is_empty() {
            return Ok(None);
        }
        let (telling, rest) = self.pool.places.split_at(self.judged());
        let telling: Vec<usize> = (0..telling.len()).collect();
        let rest: Vec<usize> = (telling.len()..telling.len() + rest.len()).collect();
        let sizes = &self.pool.sizes;
        let first = self.networks(&[1.0, MILDER[0]])?;
        let first = self.prepared(&first)?;
        let mut noise = self.crossed(&chosen(&first, 0..2), &telling)?;
        let gain = Gain::of(&noise[0], &noise[1], sizes);
        if !gain.is_promising() {
            return Ok(Some(Milder { clipping: MILDER[0], gain, pays: false }));
        }
        let more = self.crossed(&chosen(&first, 0..2), &rest)?;
        noise.iter_mut().zip(more).for_each(|(noise, more)| noise.extend(more));
        let whole = Gain::of(&noise[0], &noise[1], sizes);
        if !whole.pays_among_several() {
            return Ok(Some(Milder { clipping: MILDER[0], gain: whole, pays: false }));
        }
        let other = self.networks(&MILDER[1..])?;
        let other = self.prepared(&other)?;
        let other = self.crossed(&chosen(&other, 0..1), &telling)?;
        let second = Gain::of(&noise[0][..telling.len()], &other[0], sizes);
        let milder = if second.whole > gain.whole { (MILDER[1], second) } else { (MILDER[0], whole) };
        Ok(Some(Milder { clipping: milder.0, gain: milder.1, pays: true }))
    }

    /// For each fold the network under its ranges, for each clipping.
    fn networks(&self, clippings: &[f64]) -> Result<Vec<Vec<Converted>>, StageError> {
        let choices = || clippings.iter().map(|&clipping| Choice { clipping, equalized: false });
        let of_fold = |fold: &Fold| choices().map(|choice| self.convert_from(&fold.seen, choice)).collect();
        self.folds.iter().map(of_fold).collect()
    }

    fn prepared<'c>(&self, networks: &'c [Vec<Converted>]) -> Result<Vec<Vec<Prepared<'c>>>, StageError> {
        let all: Vec<&Converted> = networks.iter().flatten().collect();
        let mut prepared = all.iter().copied().zip(self.executors(&all)?);
        Ok(networks.iter().map(|of_fold| prepared.by_ref().take(of_fold.len()).collect()).collect())
    }

    /// For each clipping the noise of images of the pool, each image under the ranges of the fold that it is not in. `networks`
    /// are by fold, then by clipping.
    fn crossed(&self, networks: &[Vec<Ready<'_>>], images: &[usize]) -> Result<Vec<Noise>, StageError> {
        let of_image = |image: usize| {
            let fold = self.folds.iter().position(|fold| fold.judged.contains(&self.pool.places[image]));
            fold.and_then(|fold| networks.get(fold)).map(Vec::as_slice).unwrap_or_default()
        };
        self.noises_of(&of_image, images)
    }
}

/// A network and what runs it.
type Prepared<'c> = (&'c Converted, Executor<'c>);

/// Of each fold some of its networks.
fn chosen<'p>(networks: &'p [Vec<Prepared<'p>>], which: Range<usize>) -> Vec<Vec<Ready<'p>>> {
    let ready = |(converted, executor): &'p Prepared<'p>| -> Ready<'p> { (converted, executor) };
    networks.iter().map(|of_fold| of_fold.iter().take(which.end).skip(which.start).map(ready).collect()).collect()
}
