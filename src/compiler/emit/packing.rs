//! Weights as the kernels of the C code read them, and back.
//!
//! Layers: for 16 outputs at a time and each run of elements that lie side by side, four elements of each output together. Depth-wise
//! convolutions: for 32 channels at a time four kernel places of each channel together, channels in the order that
//! interleaving bytes within 128 bits makes. What is beyond the end of outputs, elements, channels or places is zero.

use crate::compiler::operators::Convolution;
use crate::compiler::operators::TransposedConvolution;
use crate::compiler::operators::transposed::integer::Taps;
use crate::compiler::operators::transposed::integer::phases;

/// Outputs that a kernel computes side by side.
pub(super) const OUTPUTS: usize = 16;
/// Channels that a depth-wise kernel computes side by side.
pub(super) const CHANNELS: usize = 32;

/// More than any size of a layer.
const LARGEST: usize = 1 << 24;

/// How the weights of one layer are packed.
#[derive(Debug, Clone)]
pub(in crate::compiler) enum Packing {
    /// One filter a channel.
    Depthwise {
        /// Channels.
        channels: usize,
        /// Places of the kernel.
        area: usize,
    },
    /// Matrices of outputs by elements.
    Blocks {
        /// Sizes and places of the unpacked weights.
        matrix: Matrix,
        /// One for each part of the kernel that is used by itself.
        pieces: Vec<Piece>,
    },
}

/// Sizes and places of unpacked weights.
#[derive(Debug, Clone, Copy)]
pub(in crate::compiler) struct Matrix {
    pub(super) groups: usize,
    /// Of one group.
    pub(super) outputs: usize,
    /// Channels that an output reads.
    pub(super) inputs: usize,
    /// Places of the kernel.
    area: usize,
    /// The distance between neighbouring outputs, inputs and kernel places.
    steps: [usize; 3],
}

/// Kernel places that are used together.
#[derive(Debug, Clone)]
pub(in crate::compiler) struct Piece {
    /// Kernel places of each run of neighbouring elements; all runs are of one length.
    pub(super) segments: Vec<Vec<usize>>,
}

impl Piece {
    /// Words of four elements of one run.
    pub(super) fn quads(&self, matrix: &Matrix) -> usize {
        self.segments.first().map_or(0, |places| places.len() * matrix.inputs).div_ceil(4)
    }

    fn length(&self, matrix: &Matrix) -> Option<usize> {
        let blocks = matrix.groups.checked_mul(matrix.outputs.div_ceil(OUTPUTS))?;
        let quads = self.segments.len().checked_mul(self.quads(matrix))?;
        blocks.checked_mul(quads)?.checked_mul(4 * OUTPUTS)
    }

    /// Each weight's place in the piece and in the unpacked weights.
    fn each(&self, matrix: &Matrix, mut pair: impl FnMut(usize, usize)) {
        let quads = self.quads(matrix);
        let block = self.segments.len() * quads * 4 * OUTPUTS;
        for group in 0..matrix.groups {
            for output in 0..matrix.outputs {
                let lane = (group * matrix.outputs.div_ceil(OUTPUTS) + output / OUTPUTS) * block + output % OUTPUTS * 4;
                let row = (group * matrix.outputs + output) * matrix.steps[0];
                for (segment, places) in self.segments.iter().enumerate() {
                    let elements = places.iter().flat_map(|&place| (0..matrix.inputs).map(move |input| (place, input)));
                    for (element, (place, input)) in elements.enumerate() {
                        let word = segment * quads + element / 4;
                        let packed = lane + word * 4 * OUTPUTS + element % 4;
                        pair(packed, row + input * matrix.steps[1] + place * matrix.steps[2]);
                    }
                }
            }
        }
    }
}

/// Where a channel of 32 lies among the lanes of its kernel.
pub(super) const fn lane(channel: usize) -> usize {
    8 * (channel / 4 % 4) + 4 * (channel / 16) + channel % 4
}

fn each_depthwise(channels: usize, area: usize, mut pair: impl FnMut(usize, usize)) {
    let quads = area.div_ceil(4);
    for channel in 0..channels {
        let block = channel / CHANNELS * quads * 4 * CHANNELS;
        for place in 0..area {
            let packed = block + place / 4 * 4 * CHANNELS + lane(channel % CHANNELS) * 4 + place % 4;
            pair(packed, channel * area + place);
        }
    }
}

impl Packing {
    /// Of a convolution with weights `[O,C/group,kh,kw]`.
    pub(in crate::compiler) fn of_convolution(attributes: &Convolution, shape: &[usize]) -> Option<Self> {
        let &[outputs, inputs, height, width] = shape else { return None };
        let (group, area) = (attributes.group, height.checked_mul(width)?);
        if group > 1 && inputs == 1 && outputs == group {
            return Some(Self::Depthwise { channels: outputs, area });
        }
        let matrix = Matrix::new(outputs, inputs, area, group)?;
        // The elements that a row of the kernel meets lie side by side where nothing lies between them.
        let joined = group == 1 && attributes.dilations[1] == 1;
        let segments = if joined {
            (0..height).map(|y| (0..width).map(|x| y * width + x).collect()).collect()
        } else {
            (0..area).map(|place| vec![place]).collect()
        };
        Some(Self::Blocks { matrix, pieces: vec![Piece { segments }] })
    }

    /// Of a dense layer with weights `[K,N]`.
    pub(in crate::compiler) fn of_dense(shape: &[usize]) -> Option<Self> {
        let &[inputs, outputs] = shape else { return None };
        let matrix = Matrix { groups: 1, outputs, inputs, area: 1, steps: [1, outputs, 0] };
        Some(Self::Blocks { matrix, pieces: vec![Piece { segments: vec![vec![0]] }] })
    }

    /// Of a transposed convolution with weights `[O,C/group,kh,kw]` and an output of height and width: a piece for each phase, and one of
    /// the places that no phase meets, where there are some.
    pub(in crate::compiler) fn of_transposed(
        attributes: &TransposedConvolution,
        shape: &[usize],
        output: [usize; 2],
    ) -> Option<Self> {
        let &[outputs, inputs, height, width] = shape else { return None };
        let numbers = [attributes.strides, attributes.dilations, output, [height, width]].concat();
        let numbers = numbers.iter().chain(&attributes.pads);
        // Those of a file may be anything; phases are counted one by one.
        let is_sound = numbers.clone().all(|&number| number <= LARGEST)
            && !attributes.strides.contains(&0)
            && (0..2).all(|axis| attributes.strides[axis].min(output[axis]) * shape[axis + 2] <= LARGEST);
        if !is_sound {
            return None;
        }
        let area = height.checked_mul(width)?;
        let matrix = Matrix::new(outputs, inputs, area, attributes.group)?;
        let mut pieces = Vec::new();
        let mut unmet = vec![true; area];
        for [rows, columns] in phase_pairs(attributes, [height, width], output) {
            let places = rows.places.iter().flat_map(|&(y, _)| columns.places.iter().map(move |&(x, _)| y * width + x));
            let segments: Vec<Vec<usize>> = places.map(|place| vec![place]).collect();
            segments.iter().flatten().for_each(|&place| unmet[place] = false);
            pieces.push(Piece { segments });
        }
        let unmet: Vec<Vec<usize>> = (0..area).filter(|&place| unmet[place]).map(|place| vec![place]).collect();
        if !unmet.is_empty() {
            pieces.push(Piece { segments: unmet });
        }
        Some(Self::Blocks { matrix, pieces })
    }

    /// The weights of each piece, packed.
    pub(in crate::compiler) fn pack(&self, values: &[i8]) -> Vec<Vec<i8>> {
        let mut packed: Vec<Vec<i8>> =
            self.lengths().unwrap_or_default().into_iter().map(|length| vec![0; length]).collect();
        self.each(|piece, to, from| packed[piece][to] = values[from]);
        packed
    }

    /// The weights unpacked, or what does not fit.
    pub(in crate::compiler) fn unpack(&self, pieces: &[Vec<i8>]) -> Result<Vec<i8>, String> {
        let found: Vec<usize> = pieces.iter().map(Vec::len).collect();
        if self.lengths().as_ref() != Some(&found) {
            return Err(format!("its weights have {found:?} bytes, which do not fit its shape"));
        }
        let size = match self {
            Self::Depthwise { channels, area } => channels * area,
            Self::Blocks { matrix, .. } => matrix.groups * matrix.outputs * matrix.inputs * matrix.area,
        };
        let mut values = vec![0; size];
        self.each(|piece, from, to| values[to] = pieces[piece][from]);
        Ok(values)
    }

    fn lengths(&self) -> Option<Vec<usize>> {
        match self {
            Self::Depthwise { channels, area } => {
                let quads = channels.div_ceil(CHANNELS).checked_mul(area.div_ceil(4))?;
                Some(vec![quads.checked_mul(4 * CHANNELS)?])
            }
            Self::Blocks { matrix, pieces } => pieces.iter().map(|piece| piece.length(matrix)).collect(),
        }
    }

    fn each(&self, mut each: impl FnMut(usize, usize, usize)) {
        match self {
            Self::Depthwise { channels, area } => {
                each_depthwise(*channels, *area, |packed, value| each(0, packed, value));
            }
            Self::Blocks { matrix, pieces } => {
                for (index, piece) in pieces.iter().enumerate() {
                    piece.each(matrix, |packed, value| each(index, packed, value));
                }
            }
        }
    }
}

impl Matrix {
    fn new(outputs: usize, inputs: usize, area: usize, groups: usize) -> Option<Self> {
        (groups > 0 && outputs.is_multiple_of(groups)).then_some(())?;
        let outputs = outputs / groups;
        Some(Self { groups, outputs, inputs, area, steps: [inputs.checked_mul(area)?, area, 1] })
    }
}

/// Rows and columns of each phase, in the order of its pieces.
pub(super) fn phase_pairs(
    attributes: &TransposedConvolution,
    kernel: [usize; 2],
    output: [usize; 2],
) -> impl Iterator<Item = [Taps; 2]> {
    let columns = phases(attributes, 1, kernel[1], output[1]);
    let rows = phases(attributes, 0, kernel[0], output[0]);
    rows.into_iter().flat_map(move |rows| columns.clone().into_iter().map(move |columns| [rows.clone(), columns]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unpacking_gives_back_what_was_packed() {
        let convolution =
            |group, dilation| Convolution { strides: [1, 1], pads: [0; 4], dilations: [dilation; 2], group };
        let transposed = |stride| TransposedConvolution {
            strides: [stride; 2],
            pads: [0; 4],
            output_padding: [0, 0],
            dilations: [1, 2],
            group: 2,
        };
        let cases: [(&[usize], Option<Packing>); 7] = [
            (&[20, 3, 3, 3], Packing::of_convolution(&convolution(1, 1), &[20, 3, 3, 3])),
            (&[20, 3, 3, 2], Packing::of_convolution(&convolution(2, 2), &[20, 3, 3, 2])),
            (&[40, 1, 3, 3], Packing::of_convolution(&convolution(40, 1), &[40, 1, 3, 3])),
            (&[40, 1, 3, 3], Packing::of_convolution(&convolution(20, 1), &[40, 1, 3, 3])),
            (&[7, 33], Packing::of_dense(&[7, 33])),
            (&[6, 4, 4, 3], Packing::of_transposed(&transposed(2), &[6, 4, 4, 3], [9, 9])),
            // An output shorter than the stride meets a part of the kernel only.
            (&[6, 4, 4, 3], Packing::of_transposed(&transposed(5), &[6, 4, 4, 3], [2, 3])),
        ];
        for (shape, packing) in cases {
            let packing = packing.expect("a packing");
            let values: Vec<i8> = (0..shape.iter().product::<usize>()).map(|at| (at * 7 % 251) as u8 as i8).collect();
            let mut packed = packing.pack(&values);
            assert_eq!(packing.unpack(&packed), Ok(values), "{shape:?}");
            packed[0].pop();
            assert!(packing.unpack(&packed).is_err());
        }
    }
}
