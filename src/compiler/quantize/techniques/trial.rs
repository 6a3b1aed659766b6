//! Ranges, factors and biases so far, and what they are worth.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::compiler::calibrate::LaneStatistics;
use crate::compiler::calibrate::Observation;
use crate::compiler::calibrate::Samples;
use crate::compiler::calibrate::Sampling;
use crate::compiler::calibrate::Seen;
use crate::compiler::calibrate::Watch;
use crate::compiler::calibrate::choose_range;
use crate::compiler::calibrate::for_each_index;
use crate::compiler::calibrate::in_order;
use crate::compiler::calibrate::load_sample;
use crate::compiler::error::StageError;
use crate::compiler::graph::Graph;
use crate::compiler::graph::ValueId;
use crate::compiler::quantize::Converted;
use crate::compiler::quantize::Equalization;
use crate::compiler::quantize::LayerWeights;
use crate::compiler::quantize::QuantizeOptions;
use crate::compiler::quantize::Sharing;
use crate::compiler::quantize::Technique;
use crate::compiler::quantize::TensorId;
use crate::compiler::quantize::Tried;
use crate::compiler::quantize::convert;
use crate::compiler::quantize::correct_bias::correct_biases;
use crate::compiler::quantize::rounding::round_by_reconstruction;
use crate::compiler::quantize::techniques::gain::Gain;
use crate::compiler::quantize::techniques::gain::Noise;
use crate::compiler::quantize::techniques::gain::squared_error;
use crate::compiler::quantize::techniques::improve::Improved;
use crate::compiler::reference::Buffers;
use crate::compiler::reference::Executor;

/// Ranges that one thread chooses at a time.
const RANGES_AT_ONCE: usize = 16;

/// The most images that each technique is judged on, where these decide.
const MOST_JUDGED: usize = 8;

/// The fewest images by which something can be hopeless.
const LEAST_GLANCED: usize = 4;

/// Images that techniques are judged on.
pub(super) struct Pool {
    /// The values at which int8 is compared with float.
    pub(super) values: Vec<ValueId>,
    /// How many elements each of them has.
    pub(super) sizes: Vec<usize>,
    /// Which of their elements.
    pub(super) sampling: Sampling,
    /// Places of the images, those that tell most first.
    pub(super) places: Vec<usize>,
    /// By image: elements of the values in float.
    pub(super) floats: Vec<Vec<Vec<f32>>>,
}

/// What all images but a part of the pool's show.
pub(super) struct Fold {
    pub(super) seen: Seen,
    /// Places of the images that are judged under it.
    pub(super) judged: Vec<usize>,
}

/// An image's place, and scale bits and zero point of each input.
type InputsKey = (usize, Vec<(u32, i8)>);

/// What is known of a network, for trying techniques on it.
pub(super) struct Trial<'a> {
    pub(super) graph: &'a Graph,
    /// The weights of the graph's layers.
    pub(super) layers: LayerWeights,
    pub(super) calibration: &'a dyn Samples,
    pub(super) sharing: Sharing,
    pub(super) seen: Seen,
    pub(super) folds: Vec<Fold>,
    /// And the weights with its factors.
    pub(super) equalization: Option<(LayerWeights, Equalization)>,
    pub(super) statistics: BTreeMap<ValueId, LaneStatistics>,
    /// Places of the images that techniques are fitted to.
    pub(super) fitted: Vec<usize>,
    pub(super) pool: Pool,
    pub(super) inputs: Mutex<BTreeMap<InputsKey, Arc<Vec<Vec<i8>>>>>,
    pub(super) buffers: Buffers,
    pub(super) options: &'a QuantizeOptions,
    pub(super) watch: &'a Watch<'a>,
}

/// A network that is ready to run.
pub(super) type Ready<'p> = (&'p Converted, &'p Executor<'p>);

/// What is tried: ranges and factors so far.
#[derive(Clone, Copy)]
pub(super) struct Choice {
    /// How many times more the errors of clipped values count than those of others.
    pub(super) clipping: f64,
    /// Whether the factors of equalization are applied.
    pub(super) equalized: bool,
}

impl Trial<'_> {
    /// Tries one technique after another.
    pub(super) fn run(mut self) -> Result<Improved, StageError> {
        let mut choice = Choice { clipping: 1.0, equalized: false };
        let mut best = Improved { converted: self.convert(choice)?, tried: Vec::new(), stages: Vec::new() };
        if self.judged() < 2 {
            return Ok(best);
        }
        if let Some(milder) = self.milder_clipping()? {
            best.tried.push(Tried {
                technique: milder.technique(),
                kept: milder.pays,
                judged_gain_db: milder.gain.whole,
                judged_error_db: milder.gain.error,
                gain_db: None,
            });
            if milder.pays {
                choice.clipping = milder.clipping;
                let before = std::mem::replace(&mut best.converted, self.convert(choice)?);
                best.stages.push(before.graph);
            }
        }
        self.folds = Vec::new();
        let mut noise = self.noise(&best.converted)?;
        if self.equalization.is_some() {
            let tried = Choice { equalized: true, ..choice };
            self.judge(Technique::CrossLayerEqualization, self.convert(tried)?, &mut best, &mut noise)?;
        }
        let tried = self.rounded(&best.converted)?;
        if !self.judge(Technique::RoundingByReconstruction, tried, &mut best, &mut noise)? {
            // Rounding puts the means of its errors into the biases already; what is left of them never paid.
            let tried = self.corrected(&best.converted)?;
            self.judge(Technique::BiasCorrection, tried, &mut best, &mut noise)?;
        }
        Ok(best)
    }

    /// How many images each technique is judged on first: those at the front of the pool.
    pub(super) fn judged(&self) -> usize {
        self.pool.places.len().min(MOST_JUDGED)
    }

    /// In which parts images are asked, by their number in the pool, until enough is known: the first half of those at the
    /// front, the other half, then as many again each time.
    pub(super) fn turns(&self) -> Vec<Range<usize>> {
        let (front, all) = (self.judged(), self.pool.places.len());
        let mut ends: Vec<usize> = (front..all).step_by(front.max(1)).collect();
        ends.push(all);
        if front / 2 >= LEAST_GLANCED {
            ends.insert(0, front / 2);
        }
        let starts = std::iter::once(0).chain(ends.iter().copied());
        starts.zip(&ends).map(|(start, &end)| start..end).collect()
    }

    /// Keeps a technique where it pays; whether it does. Images are asked in turns, until these leave nothing open.
    fn judge(
        &self,
        technique: Technique,
        converted: Converted,
        best: &mut Improved,
        noise: &mut Noise,
    ) -> Result<bool, StageError> {
        let executor = Executor::sharing(&converted.graph, &self.buffers)?;
        let (mut left, mut gain) = (Noise::new(), Gain::NONE);
        for turn in self.turns() {
            if noise.len() < turn.end {
                let before = Executor::sharing(&best.converted.graph, &self.buffers)?;
                noise.extend(self.noise_on(&best.converted, &before, noise.len()..turn.end)?);
            }
            left.extend(self.noise_on(&converted, &executor, turn.clone())?);
            gain = Gain::of(&noise[..turn.end], &left, &self.pool.sizes);
            let is_glance = turn.end < self.judged();
            if gain.is_hopeless() || !is_glance && (gain.pays() || !gain.is_promising()) {
                break;
            }
        }
        drop(executor);
        best.tried.push(Tried {
            technique,
            kept: gain.pays(),
            judged_gain_db: gain.whole,
            judged_error_db: gain.error,
            gain_db: None,
        });
        if gain.pays() {
            let before = std::mem::replace(&mut best.converted, converted);
            best.stages.push(before.graph);
            *noise = left;
        }
        Ok(gain.pays())
    }

    fn scaled(&self, choice: Choice) -> Option<&(LayerWeights, Equalization)> {
        self.equalization.as_ref().filter(|_| choice.equalized)
    }

    fn convert(&self, choice: Choice) -> Result<Converted, StageError> {
        self.convert_from(&self.seen, choice)
    }

    /// Converts the network with ranges chosen from what some images show.
    pub(super) fn convert_from(&self, seen: &Seen, choice: Choice) -> Result<Converted, StageError> {
        let scaled = self.scaled(choice);
        let observations: Vec<(ValueId, &Observation)> = seen
            .observations
            .iter()
            .map(|(&id, plain)| (id, scaled.and_then(|_| seen.scaled.get(&id)).unwrap_or(plain)))
            .collect();
        let parts: Vec<&[(ValueId, &Observation)]> = observations.chunks(RANGES_AT_ONCE).collect();
        let states = for_each_index(parts.len(), self.options.threads, Vec::new, |own, index| {
            self.watch.check()?;
            for (id, observation) in parts[index] {
                let range = choose_range(observation, self.options.scheme, choice.clipping);
                own.extend(range.map(|range| (*id, range)));
            }
            Ok(())
        })?;
        let ranges: BTreeMap<ValueId, (f32, f32)> = states.into_iter().flatten().collect();
        let (graph, layers) =
            scaled.map_or((self.graph, &self.layers), |(layers, equalization)| (&equalization.graph, layers));
        let mut by_channel = BTreeMap::new();
        for (&id, lanes) in &seen.lanes {
            let factors = scaled.and_then(|(_, equalization)| equalization.factors.get(&id));
            let range = |(lane, observation): (usize, &Observation)| {
                let factor = factors.and_then(|factors| factors.get(lane)).copied().unwrap_or(1.0);
                let (low, high) = choose_range(observation, self.options.scheme, choice.clipping).unwrap_or((0.0, 0.0));
                (low * factor, high * factor)
            };
            by_channel.insert(id, lanes.iter().enumerate().map(range).collect::<Vec<_>>());
        }
        let mut converted = convert(graph, layers, &self.sharing, &ranges, &by_channel)?;
        converted.factors = scaled.map(|(_, equalization)| equalization.factors.clone()).unwrap_or_default();
        Ok(converted)
    }

    /// The squared error of each value judged at, for each of the images at the front of the pool.
    fn noise(&self, converted: &Converted) -> Result<Noise, StageError> {
        self.noise_on(converted, &Executor::sharing(&converted.graph, &self.buffers)?, 0..self.judged())
    }

    /// The same of a network that is prepared, for images by their number in the pool. Of those at the front the int8 inputs
    /// are kept.
    fn noise_on(
        &self,
        converted: &Converted,
        executor: &Executor<'_>,
        images: Range<usize>,
    ) -> Result<Noise, StageError> {
        if images.end > self.judged() {
            let network = [(converted, executor)];
            return Ok(self.noises_of(&|_| &network, &images.collect::<Vec<_>>())?.concat());
        }
        let states = for_each_index(images.len(), self.options.threads, Vec::new, |own, index| {
            let image = images.start + index;
            let inputs = self.int8_inputs(executor, self.pool.places[image])?;
            own.push((index, self.noise_of(converted, executor, &inputs, image)?));
            Ok(())
        })?;
        Ok(in_order(states))
    }

    /// Prepares several networks, at the same time.
    pub(super) fn executors<'c>(&self, converted: &[&'c Converted]) -> Result<Vec<Executor<'c>>, StageError> {
        let states = for_each_index(converted.len(), self.options.threads, Vec::new, |own, index| {
            own.push((index, Executor::sharing(&converted[index].graph, &self.buffers)?));
            Ok(())
        })?;
        Ok(in_order(states))
    }

    /// The same for several networks that are prepared, of some images of the pool: for each image, by its number there, as many.
    /// Each image is read once.
    pub(super) fn noises_of<'p>(
        &self,
        networks: &(dyn Fn(usize) -> &'p [Ready<'p>] + Sync),
        images: &[usize],
    ) -> Result<Vec<Noise>, StageError> {
        let states = for_each_index(images.len(), self.options.threads, Vec::new, |own, index| {
            self.watch.check()?;
            let image = load_sample(self.graph, self.calibration, self.pool.places[images[index]])?;
            let image: Vec<&[f32]> = image.iter().map(Vec::as_slice).collect();
            let noises = networks(images[index]).iter().map(|(converted, executor)| {
                self.noise_of(converted, executor, &executor.quantize_inputs(&image)?, images[index])
            });
            own.push((index, noises.collect::<Result<Vec<_>, _>>()?));
            Ok(())
        })?;
        let mut noises: Vec<Noise> = Vec::new();
        for by_network in in_order(states) {
            noises.resize(by_network.len().max(noises.len()), Noise::new());
            noises.iter_mut().zip(by_network).for_each(|(noises, noise)| noises.push(noise));
        }
        Ok(noises)
    }

    /// The squared error of each value judged at, of one image of the pool.
    fn noise_of(
        &self,
        converted: &Converted,
        executor: &Executor<'_>,
        inputs: &[Vec<i8>],
        image: usize,
    ) -> Result<Vec<f64>, StageError> {
        self.watch.check()?;
        let place = |value: &ValueId| converted.origin.iter().position(|origin| *origin == Some(*value));
        let judged: Vec<Option<TensorId>> =
            self.pool.values.iter().map(|value| place(value).map(|place| TensorId(place as u32))).collect();
        let mut noise = vec![0.0; judged.len()];
        executor.run_int8(inputs, &mut |id, int8| {
            let floats = noise.iter_mut().zip(&self.pool.floats[image]).zip(&judged);
            for ((noise, float), _) in floats.filter(|(_, other)| **other == Some(id)) {
                let (encoding, mut float) = (converted.graph.value(id).encoding, float.as_slice());
                *noise = 0.0;
                for range in self.pool.sampling.ranges(int8.len()) {
                    let (own, rest) = float.split_at(range.len().min(float.len()));
                    *noise += squared_error(own, &int8[range], encoding);
                    float = rest;
                }
            }
        })?;
        Ok(noise)
    }

    /// A calibration image as the int8 inputs of a network.
    fn int8_inputs(&self, executor: &Executor<'_>, place: usize) -> Result<Arc<Vec<Vec<i8>>>, StageError> {
        self.watch.check()?;
        let graph = executor.graph();
        let encodings = graph.inputs.iter().map(|&id| graph.value(id).encoding);
        let key = (place, encodings.map(|encoding| (encoding.scale.to_bits(), encoding.zero_point)).collect());
        let known = self.inputs.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let image = load_sample(self.graph, self.calibration, place)?;
        let inputs = Arc::new(executor.quantize_inputs(&image.iter().map(Vec::as_slice).collect::<Vec<_>>())?);
        self.inputs.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&inputs));
        Ok(inputs)
    }

    fn rounded(&self, converted: &Converted) -> Result<Converted, StageError> {
        let mut rounded = converted.clone();
        let executor = Executor::sharing(&converted.graph, &self.buffers)?;
        let images = self.fitted_inputs(&executor)?;
        let equalized = self.equalization.as_ref().filter(|_| !converted.factors.is_empty());
        let graph = equalized.map_or(self.graph, |(_, equalization)| &equalization.graph);
        round_by_reconstruction(&mut rounded, graph, &executor, &images, self.options.threads, self.watch)?;
        Ok(rounded)
    }

    fn corrected(&self, converted: &Converted) -> Result<Converted, StageError> {
        let mut corrected = converted.clone();
        let executor = Executor::sharing(&converted.graph, &self.buffers)?;
        let images = self.fitted_inputs(&executor)?;
        correct_biases(&mut corrected, &executor, &self.statistics, &images, self.options.threads, self.watch)?;
        Ok(corrected)
    }

    /// The images that techniques are fitted to, as int8 inputs.
    fn fitted_inputs(&self, executor: &Executor<'_>) -> Result<Vec<Arc<Vec<Vec<i8>>>>, StageError> {
        let states = for_each_index(self.fitted.len(), self.options.threads, Vec::new, |own, index| {
            own.push((index, self.int8_inputs(executor, self.fitted[index])?));
            Ok(())
        })?;
        Ok(in_order(states))
    }
}
