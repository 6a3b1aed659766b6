//! What each channel of an activation is on a few images: bounds, power and means, from which expected errors of layers
//! follow.

use crate::compiler::machine::Work;
use crate::compiler::machine::vectorized_work;

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

/// Elements that are summed side by side: their number decides on how sums round, the machine does not.
const WIDTH: usize = 16;

/// One lane that is to be measured.
struct Measured<'a>(&'a [f32]);

/// What elements that lie [`WIDTH`] apart are.
struct Sums {
    low: [f32; WIDTH],
    high: [f32; WIDTH],
    sum: [f64; WIDTH],
    power: [f64; WIDTH],
}

impl Work for Measured<'_> {
    type Output = Sums;

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for the registers of the function that it is inlined into")]
    fn run(self) -> Sums {
        let (chunks, rest) = self.0.as_chunks::<WIDTH>();
        let (infinity, zeros) = ([f32::INFINITY; WIDTH], [0.0; WIDTH]);
        let mut sums = Sums { low: infinity, high: infinity.map(|x| -x), sum: zeros, power: zeros };
        for chunk in chunks {
            for (lane, &x) in chunk.iter().enumerate() {
                sums.low[lane] = if x < sums.low[lane] { x } else { sums.low[lane] };
                sums.high[lane] = if x > sums.high[lane] { x } else { sums.high[lane] };
                sums.sum[lane] += f64::from(x);
                sums.power[lane] += f64::from(x) * f64::from(x);
            }
        }
        for (lane, &x) in rest.iter().enumerate() {
            sums.low[lane] = sums.low[lane].min(x);
            sums.high[lane] = sums.high[lane].max(x);
            sums.sum[lane] += f64::from(x);
            sums.power[lane] += f64::from(x) * f64::from(x);
        }
        sums
    }
}

impl LaneStatistics {
    /// One image's.
    #[must_use]
    pub fn of(elements: &[f32], plane: usize) -> Self {
        let (mut statistics, mut means) = (Self::default(), Vec::new());
        for lane in elements.chunks_exact(plane) {
            let sums = vectorized_work(Measured(lane));
            means.push(sums.sum.iter().sum::<f64>() / plane as f64);
            statistics.low.push(sums.low.into_iter().fold(f32::INFINITY, f32::min));
            statistics.high.push(sums.high.into_iter().fold(f32::NEG_INFINITY, f32::max));
            statistics.power.push(sums.power.iter().sum::<f64>() / plane as f64);
        }
        statistics.means.push(means);
        statistics
    }

    /// Takes another image's in; its power weighs `1/images`.
    pub fn join(&mut self, other: Self, images: usize) {
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

    #[test]
    fn statistics_are_those_of_each_lane() {
        let elements: Vec<f32> = (0..3 * 37).map(|at| if at < 37 { 2.0 } else { (at % 5) as f32 - 3.0 }).collect();
        let statistics = LaneStatistics::of(&elements, 37);
        for (lane, own) in elements.chunks_exact(37).enumerate() {
            let mean = own.iter().map(|&x| f64::from(x)).sum::<f64>() / 37.0;
            let power = own.iter().map(|&x| f64::from(x * x)).sum::<f64>() / 37.0;
            assert!((statistics.means[0][lane] - mean).abs() < 1e-12 && (statistics.power[lane] - power).abs() < 1e-12);
        }
        assert_eq!((statistics.low, statistics.high), (vec![2.0, -3.0, -3.0], vec![2.0, 1.0, 1.0]));
    }
}
