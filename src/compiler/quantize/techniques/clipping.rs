//! How far ranges are clipped. The bounds that fit each tensor best by themselves are too narrow where a network lives by its
//! largest values; so wider ones are tried. All images are wanted for ranges and for judging, so that is done in two
//! folds: each half of the images is judged under ranges that the other half (and what is fitted to) has chosen. Ranges
//! judged on images that chose them look better than they are, those with clipping most.

use std::ops::Range;

use crate::compiler::calibrate::for_each_index;
use crate::compiler::calibrate::in_order;
use crate::compiler::error::StageError;
use crate::compiler::quantize::Converted;
use crate::compiler::quantize::Technique;
use crate::compiler::quantize::techniques::gain::Gain;
use crate::compiler::quantize::techniques::gain::Noise;
use crate::compiler::quantize::techniques::trial::Choice;
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
    /// Images are asked in turns about the first of them. It has to pay beyond chance on more than those that tell most, which
    /// then say whether the second is better still.
    pub(super) fn milder_clipping(&self) -> Result<Option<Milder>, StageError> {
        if self.folds.is_empty() {
            return Ok(None);
        }
        let (front, all, sizes) = (self.judged(), self.pool.places.len(), &self.pool.sizes);
        let first = self.networks(&[1.0, MILDER[0]])?;
        let first = self.prepared(&first)?;
        let (mut noise, mut gain) = (vec![Noise::new(); 2], Gain::NONE);
        let mut at_front = gain;
        for turn in self.turns() {
            let more = self.crossed(&chosen(&first, 0..2), &turn.clone().collect::<Vec<_>>())?;
            noise.iter_mut().zip(more).for_each(|(noise, more)| noise.extend(more));
            gain = Gain::of(&noise[0], &noise[1], sizes);
            if turn.end <= front {
                at_front = gain;
            }
            let is_glance = turn.end < front;
            let is_enough = turn.end > front && gain.pays_among_several();
            if gain.is_hopeless() || is_enough || !is_glance && !gain.is_promising() {
                break;
            }
        }
        if noise[0].len() < (front + 1).min(all) || !gain.pays_among_several() {
            return Ok(Some(Milder { clipping: MILDER[0], gain, pays: false }));
        }
        let other = self.networks(&MILDER[1..])?;
        let other = self.prepared(&other)?;
        let other = self.crossed(&chosen(&other, 0..1), &(0..front).collect::<Vec<_>>())?;
        let second = Gain::of(&noise[0][..front], &other[0], sizes);
        let milder = if second.whole > at_front.whole { (MILDER[1], second) } else { (MILDER[0], gain) };
        Ok(Some(Milder { clipping: milder.0, gain: milder.1, pays: true }))
    }

    /// For each fold the network under its ranges, for each clipping.
    fn networks(&self, clippings: &[f64]) -> Result<Vec<Vec<Converted>>, StageError> {
        let states =
            for_each_index(self.folds.len() * clippings.len(), self.options.threads, Vec::new, |own, index| {
                let choice = Choice { clipping: clippings[index % clippings.len()], equalized: false };
                own.push((index, self.convert_from(&self.folds[index / clippings.len()].seen, choice)?));
                Ok(())
            })?;
        let mut networks = in_order(states).into_iter();
        Ok(self.folds.iter().map(|_| networks.by_ref().take(clippings.len()).collect()).collect())
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
