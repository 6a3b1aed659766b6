//! What each channel of an activation is on a few images: bounds, power and means, from which expected errors of layers
//! follow.

use std::collections::BTreeMap;

use crate::compiler::calibrate::FloatEngine;
use crate::compiler::calibrate::Watch;
use crate::compiler::calibrate::for_each_index;
use crate::compiler::error::StageError;
use crate::compiler::graph::Graph;
use crate::compiler::graph::ValueId;

/// How a shape divides into lanes: their number, and the neighbouring elements of each. A lane is a channel of an image
/// `[1,C,H,W]` (of `[1,..,H,W]` each plane) and an element of a vector `[1,C]`. `None` for other shapes.
#[must_use]
pub fn lanes(shape: &[usize]) -> Option<(usize, usize)> {
    match shape {
        [1, count] => Some((*count, 1)),
        [1, .., _, _] if shape.len() >= 4 => {
            let (outer, plane) = shape.split_at(shape.len() - 2);
            Some((outer.iter().product(), plane.iter().product()))
        }
        _ => None,
    }
}

/// Bounds and power of each lane of a value over some images.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LaneStatistics {
    /// Smallest element of each lane.
    pub low: Vec<f32>,
    /// Largest element of each lane.
    pub high: Vec<f32>,
    /// Mean of the squared elements of each lane.
    pub power: Vec<f64>,
    /// Mean of the elements of each lane, for each image in order.
    pub means: Vec<Vec<f64>>,
}

impl LaneStatistics {
    fn of(elements: &[f32], plane: usize) -> Self {
        let (mut statistics, mut means) = (Self::default(), Vec::new());
        for lane in elements.chunks_exact(plane) {
            let (mut low, mut high, mut power, mut sum) = (f32::INFINITY, f32::NEG_INFINITY, 0.0, 0.0);
            for &x in lane {
                low = low.min(x);
                high = high.max(x);
                sum += f64::from(x);
                power += f64::from(x) * f64::from(x);
            }
            means.push(sum / plane as f64);
            statistics.low.push(low);
            statistics.high.push(high);
            statistics.power.push(power / plane as f64);
        }
        statistics.means.push(means);
        statistics
    }

    /// Takes another image's in; its power weighs `1/images`.
    fn join(&mut self, other: Self, images: usize) {
        if self.low.is_empty() {
            self.low.clone_from(&other.low);
            self.high.clone_from(&other.high);
            self.power = vec![0.0; other.power.len()];
        }
        self.low.iter_mut().zip(&other.low).for_each(|(low, &other)| *low = low.min(other));
        self.high.iter_mut().zip(&other.high).for_each(|(high, &other)| *high = high.max(other));
        self.power.iter_mut().zip(&other.power).for_each(|(power, &other)| *power += other / images as f64);
        self.means.extend(other.means);
    }
}

/// Runs a few images, given as the network's inputs, and gathers what the lanes of `values` are, where they have any.
pub fn survey(
    graph: &Graph,
    values: &[ValueId],
    images: &[Vec<Vec<f32>>],
    threads: usize,
    watch: &Watch<'_>,
) -> Result<BTreeMap<ValueId, LaneStatistics>, StageError> {
    let engine = FloatEngine::new(graph, values)?;
    let states = for_each_index(images.len(), threads, Vec::new, |seen, index| {
        watch.check()?;
        let inputs: Vec<&[f32]> = images[index].iter().map(Vec::as_slice).collect();
        let mut statistics = BTreeMap::new();
        engine.run(&inputs, &mut |id, elements| {
            if let Some((_, plane)) = lanes(&graph.value(id).shape) {
                statistics.insert(id, LaneStatistics::of(elements, plane));
            }
        })?;
        seen.push((index, statistics));
        Ok(())
    })?;
    let mut seen: Vec<(usize, BTreeMap<ValueId, LaneStatistics>)> = states.into_iter().flatten().collect();
    seen.sort_by_key(|&(index, _)| index);
    let mut joined = BTreeMap::<ValueId, LaneStatistics>::new();
    for (id, one) in seen.into_iter().flat_map(|(_, statistics)| statistics) {
        joined.entry(id).or_default().join(one, images.len());
    }
    Ok(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_planes_and_elements_of_vectors() {
        assert_eq!(lanes(&[1, 5, 3, 2]), Some((5, 6)));
        assert_eq!(lanes(&[1, 2, 5, 3, 2]), Some((10, 6)));
        assert_eq!(lanes(&[1, 7]), Some((7, 1)));
        assert_eq!(lanes(&[1, 7, 3]), None);
        assert_eq!(lanes(&[2, 7]), None);
    }
}
