//! How far ranges are clipped. The bounds that fit each tensor best by themselves are too narrow where a network lives by its
//! largest values; so wider ones are tried. All images are wanted for ranges and for judging, so that is done in two
//! folds: each half of the images is judged under ranges that the other half (and what is fitted to) has chosen. Ranges
//! judged on images that chose them look better than they are, those with clipping most.

use crate::compiler::error::StageError;
use crate::compiler::quantize::Converted;
use crate::compiler::quantize::Technique;
use crate::compiler::quantize::techniques::gain::Gain;
use crate::compiler::quantize::techniques::gain::Noise;
use crate::compiler::quantize::techniques::trial::Choice;
use crate::compiler::quantize::techniques::trial::Trial;

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
    /// That any of them pays has to be beyond chance; which one is taken is then the best guess.
    pub(super) fn milder_clipping(&self) -> Result<Option<Milder>, StageError> {
        if self.folds.is_empty() {
            return Ok(None);
        }
        let (telling, rest) = self.pool.places.split_at(self.judged());
        let telling: Vec<usize> = (0..telling.len()).collect();
        let rest: Vec<usize> = (telling.len()..telling.len() + rest.len()).collect();
        let sizes = &self.pool.sizes;
        let mut noise = self.crossed(&[1.0, MILDER[0]], &telling)?;
        let first = Gain::of(&noise[0], &noise[1], sizes);
        if !first.is_promising() {
            return Ok(Some(Milder { clipping: MILDER[0], gain: first, pays: false }));
        }
        noise.extend(self.crossed(&MILDER[1..], &telling)?);
        let all: Vec<f64> = [1.0].into_iter().chain(MILDER).collect();
        for (noise, others) in noise.iter_mut().zip(self.crossed(&all, &rest)?) {
            noise.extend(others);
        }
        Ok(best(MILDER.into_iter().zip(noise[1..].iter().map(|milder| Gain::of(&noise[0], milder, sizes)))))
    }

    /// For each clipping the noise of images of the pool, each image under the ranges of the fold that it is not in.
    fn crossed(&self, clippings: &[f64], images: &[usize]) -> Result<Vec<Noise>, StageError> {
        let mut by_image: Vec<Noise> = vec![vec![Vec::new(); images.len()]; clippings.len()];
        for fold in &self.folds {
            let own: Vec<usize> =
                (0..images.len()).filter(|&at| fold.judged.contains(&self.pool.places[images[at]])).collect();
            if own.is_empty() {
                continue;
            }
            let choices = clippings.iter().map(|&clipping| Choice { clipping, equalized: false });
            let converted: Vec<Converted> =
                choices.map(|choice| self.convert_from(&fold.seen, choice)).collect::<Result<_, _>>()?;
            let judged: Vec<usize> = own.iter().map(|&at| images[at]).collect();
            for (by_image, noise) in
                by_image.iter_mut().zip(self.noises(&converted.iter().collect::<Vec<_>>(), &judged)?)
            {
                own.iter().zip(noise).for_each(|(&at, noise)| by_image[at] = noise);
            }
        }
        Ok(by_image)
    }
}

/// The clipping with the greatest gain, kept if any of the gains is beyond chance.
fn best(milder: impl Iterator<Item = (f64, Gain)> + Clone) -> Option<Milder> {
    let pays = milder.clone().any(|(_, gain)| gain.pays_among_several());
    let (clipping, gain) = milder.max_by(|left, right| left.1.whole.total_cmp(&right.1.whole))?;
    Some(Milder { clipping, gain, pays })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sure_gain_is_enough_to_take_the_greatest() {
        let of = |gains: [(f64, f64); 2]| {
            let gains = gains.map(|(whole, error)| Gain { whole, error });
            best(MILDER.into_iter().zip(gains)).map(|milder| (milder.clipping, milder.pays))
        };
        assert_eq!(of([(0.5, 0.1), (0.6, 0.4)]), Some((f64::INFINITY, true)));
        assert_eq!(of([(0.5, 0.3), (0.4, 0.4)]), Some((4.0, false)));
        assert_eq!(of([(-0.1, 0.3), (-0.05, 0.7)]), Some((f64::INFINITY, false)));
    }
}
