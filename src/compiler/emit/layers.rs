//! Layers with weights: convolutions of every kind and dense layers, as calls of two kernels.

use crate::compiler::emit::flow::Flow;
use crate::compiler::emit::order::row_major;
use crate::compiler::emit::packing::CHANNELS;
use crate::compiler::emit::packing::Matrix;
use crate::compiler::emit::packing::OUTPUTS;
use crate::compiler::emit::packing::Packing;
use crate::compiler::emit::packing::Piece;
use crate::compiler::emit::packing::lane;
use crate::compiler::emit::packing::phase_pairs;
use crate::compiler::emit::step::Argument;
use crate::compiler::emit::step::BufferId;
use crate::compiler::emit::step::Number;
use crate::compiler::emit::step::Step;
use crate::compiler::operators::Convolution;
use crate::compiler::operators::TransposedConvolution;
use crate::compiler::operators::transposed::integer::Taps;
use crate::compiler::quantize::QuantizedNode;
use crate::compiler::quantize::QuantizedValue;
use crate::compiler::quantize::Weights;
use crate::compiler::quantize::clamp_behind;
use crate::compiler::quantize::contract::Saturation;
use crate::compiler::quantize::contract::multiplier;

/// What the accumulators of an output channel become.
#[derive(Debug, Clone, Copy)]
struct Row {
    bias: i32,
    multiplier: f32,
    saturation: Saturation,
}

/// Positions of a convolution and what they read and write.
struct Geometry {
    images: usize,
    /// H, W and C of the input.
    input: [usize; 3],
    /// Rows and columns before the input's first, which hold its zero point.
    before: [usize; 2],
    /// Rows and columns that positions reach, those before the first included.
    reach: [usize; 2],
    /// Rows and columns of positions.
    positions: [usize; 2],
    /// The distance between positions, in rows and columns of the input.
    strides: [usize; 2],
    /// The row and the column of each run of elements, from a position on.
    segments: Vec<[usize; 2]>,
    /// Elements of an output image; the first that is written; how far rows and columns lie apart.
    out: [usize; 4],
}

fn positive<T: TryInto<i64>>(number: T) -> Number {
    Number::Integer(number.try_into().unwrap_or(i64::MAX))
}

/// The last three sizes of `[N,C,H,W]` as H, W, C.
fn image(value: &QuantizedValue) -> [usize; 3] {
    match *value.shape {
        [.., channels, height, width] => [height, width, channels],
        _ => [1, 1, 1],
    }
}

impl Flow<'_> {
    pub(super) fn convolution(
        &mut self,
        index: usize,
        node: &QuantizedNode,
        attributes: &Convolution,
        weights: &Weights,
    ) -> Result<(), String> {
        let packing = Packing::of_convolution(attributes, &weights.shape).ok_or("its weights do not fit it")?;
        let (input, output) = (self.graph.value(node.inputs[0]), self.graph.value(node.output));
        let ([height, width, channels], [out_height, out_width, outputs]) = (image(input), image(output));
        let from = self.read_natural(node.inputs[0])?;
        let to = self.written_natural(node.output);
        let kernel = [weights.shape[2], weights.shape[3]];
        let (strides, dilations) = (attributes.strides, attributes.dilations);
        let reach = |axis: usize, count: usize| (count - 1) * strides[axis] + (kernel[axis] - 1) * dilations[axis] + 1;
        let reach = [reach(0, out_height), reach(1, out_width)];
        let before = [attributes.pads[0], attributes.pads[1]];
        let rows = rows(node, weights, [input, output]);
        match &packing {
            Packing::Depthwise { .. } => {
                let shape = (image(input), [out_height, out_width], kernel);
                self.depthwise(index, (&packing, weights), &rows, (attributes, reach), shape, (from, to))
            }
            Packing::Blocks { matrix, pieces } => {
                let Some(piece) = pieces.first() else { return Err("its weights are empty".to_owned()) };
                let place = |places: &Vec<usize>| {
                    let place = places.first().copied().unwrap_or(0);
                    [place / kernel[1] * dilations[0], place % kernel[1] * dilations[1]]
                };
                let geometry = Geometry {
                    images: input.len() / (height * width * channels).max(1),
                    input: [height, width, channels],
                    before,
                    reach,
                    positions: [out_height, out_width],
                    strides,
                    segments: piece.segments.iter().map(place).collect(),
                    out: [out_height * out_width * outputs, 0, out_width * outputs, outputs],
                };
                let packed = packing.pack(&weights.values);
                self.matrix(index, &geometry, (matrix, piece), &packed[0], (input, &rows, &weights.values), (from, to))
            }
        }
    }

    pub(super) fn dense(&mut self, index: usize, node: &QuantizedNode, weights: &Weights) -> Result<(), String> {
        let packing = Packing::of_dense(&weights.shape).ok_or("its weights do not fit it")?;
        let Packing::Blocks { matrix, pieces } = &packing else { return Err("its weights do not fit it".to_owned()) };
        let (input, output) = (self.graph.value(node.inputs[0]), self.graph.value(node.output));
        let from = self.read(node.inputs[0], &row_major(input.shape.len()))?;
        let to = self.written(node.output, row_major(output.shape.len()));
        let length = weights.shape[0].max(1);
        let count = input.len() / length;
        let outputs = weights.shape[1];
        let geometry = Geometry {
            images: 1,
            input: [1, count, length],
            before: [0, 0],
            reach: [1, count],
            positions: [1, count],
            strides: [1, 1],
            segments: vec![[0, 0]],
            out: [count * outputs, 0, count * outputs, outputs],
        };
        // [K,N] as [N,K], for the sums of each output's weights.
        let by_output: Vec<i8> =
            (0..outputs * length).map(|at| weights.values[at % length * outputs + at / length]).collect();
        let rows = rows(node, weights, [input, output]);
        let packed = packing.pack(&weights.values);
        self.matrix(index, &geometry, (matrix, &pieces[0]), &packed[0], (input, &rows, &by_output), (from, to))
    }

    pub(super) fn transposed(
        &mut self,
        index: usize,
        node: &QuantizedNode,
        attributes: &TransposedConvolution,
        weights: &Weights,
    ) -> Result<(), String> {
        let (input, output) = (self.graph.value(node.inputs[0]), self.graph.value(node.output));
        let ([height, width, channels], [out_height, out_width, outputs]) = (image(input), image(output));
        let packing = Packing::of_transposed(attributes, &weights.shape, [out_height, out_width]);
        let Some(Packing::Blocks { matrix, pieces }) = &packing else {
            return Err("its weights do not fit it".to_owned());
        };
        let packed = packing.as_ref().map(|packing| packing.pack(&weights.values)).unwrap_or_default();
        let kernel = [weights.shape[2], weights.shape[3]];
        let from = self.read_natural(node.inputs[0])?;
        let to = self.written_natural(node.output);
        let rows = rows(node, weights, [input, output]);
        let pairs: Vec<[Taps; 2]> = phase_pairs(attributes, kernel, [out_height, out_width]).collect();
        let covered: usize = pairs.iter().map(|[rows, columns]| rows.count * columns.count).sum();
        if covered < out_height * out_width {
            // Positions that no phase reaches hold the bias alone.
            let alone: Vec<i8> = rows.iter().map(|row| row.saturation.requantize(row.bias, row.multiplier)).collect();
            let span = self.pool.int8(&alone);
            let alone = self.constant(span);
            let positions = output.len() / outputs;
            let axes = vec![(positions, 0, outputs as i64), (outputs, 1, 1)];
            self.moved(axes, [0, 0], None, (alone, to))?;
        }
        for (number, (pair, piece)) in pairs.iter().zip(pieces).enumerate() {
            let axis = |axis: usize| {
                let places = || pair[axis].places.iter().map(|&(_, place)| place);
                let before = places().min().unwrap_or(0).min(0).unsigned_abs();
                let last = before.saturating_add_signed(places().max().unwrap_or(0));
                (before, last + pair[axis].count)
            };
            let [(before_y, reach_y), (before_x, reach_x)] = [axis(0), axis(1)];
            let segments = pair[0].places.iter().flat_map(|&(_, y)| {
                let y = before_y.saturating_add_signed(y);
                pair[1].places.iter().map(move |&(_, x)| [y, before_x.saturating_add_signed(x)])
            });
            let geometry = Geometry {
                images: input.len() / (height * width * channels).max(1),
                input: [height, width, channels],
                before: [before_y, before_x],
                reach: [reach_y, reach_x],
                positions: [pair[0].count, pair[1].count],
                strides: [1, 1],
                segments: segments.collect(),
                out: [
                    out_height * out_width * outputs,
                    (pair[0].first * out_width + pair[1].first) * outputs,
                    attributes.strides[0] * out_width * outputs,
                    attributes.strides[1] * outputs,
                ],
            };
            // The weights that this phase meets, `[O, met]`.
            let area = kernel[0] * kernel[1];
            let planes = weights.values.chunks_exact(area);
            let met: Vec<i8> =
                planes.flat_map(|plane| piece.segments.iter().flatten().map(|&place| plane[place])).collect();
            self.matrix(index, &geometry, (matrix, piece), &packed[number], (input, &rows, &met), (from, to))?;
        }
        // Places of the kernel that no output meets are kept, so that the program can be read back.
        for rest in packed.iter().skip(pairs.len()) {
            let span = self.pool.int8(rest);
            self.weights[index].push(span);
        }
        Ok(())
    }

    fn matrix(
        &mut self,
        index: usize,
        geometry: &Geometry,
        (matrix, piece): (&Matrix, &Piece),
        packed: &[i8],
        (input, rows, by_output): (&QuantizedValue, &[Row], &[i8]),
        (from, to): (BufferId, BufferId),
    ) -> Result<(), String> {
        let Geometry { images, input: [height, width, channels], before, reach, positions, strides, .. } = *geometry;
        let quads = piece.quads(matrix);
        let run = piece.segments.first().map_or(0, |places| places.len() * matrix.inputs);
        check_image(reach, channels)?;
        let is_direct = before == [0, 0] && reach[0] <= height && reach[1] <= width && run.is_multiple_of(4);
        let line = if is_direct { width } else { reach[1] };
        let places: Vec<i32> = geometry.segments.iter().map(|[y, x]| ((y * line + x) * channels) as i32).collect();
        let zero = input.encoding.zero_point;
        let length = by_output.len() / rows.len().max(1);
        let sums = by_output.chunks_exact(length.max(1)).map(|row| row.iter().map(|&q| i64::from(q)).sum::<i64>());
        let rows: Vec<Row> = rows
            .iter()
            .zip(sums)
            // Elements are read 128 higher; what wraps here wraps back when the products are added.
            .map(|(row, sum)| Row { bias: (i64::from(row.bias) - (i64::from(zero) + 128) * sum) as i32, ..*row })
            .collect();
        let mut words = Vec::new();
        for group in rows.chunks(matrix.outputs.max(1)) {
            group.chunks(OUTPUTS).for_each(|block| push_rows(block, OUTPUTS, |at| at, &mut words));
        }
        let [in_row, in_column] = [strides[0] * line * channels, strides[1] * channels];
        let [out_image, out_start, out_row, out_column] = geometry.out;
        let flat = in_row == positions[1] * in_column && out_row == positions[1] * out_column;
        let columns = if flat { positions[0] * positions[1] } else { positions[1] };
        let padded = if is_direct { [0, 0] } else { reach };
        let weights = self.pool.int8(packed);
        self.weights[index].push(weights);
        let (places, words) = (self.pool.int32(&places), self.pool.int32(&words));
        let record = vec![
            ("images", positive(images)),
            ("in_image", positive(height * width * channels)),
            ("out_image", positive(out_image)),
            ("height", positive(height)),
            ("width", positive(width)),
            ("channels", positive(channels)),
            ("top", positive(before[0])),
            ("left", positive(before[1])),
            ("padded_height", positive(padded[0])),
            ("padded_width", positive(padded[1])),
            ("padding", Number::Integer(i64::from(zero))),
            ("positions", positive(positions[0] * positions[1])),
            ("columns", positive(columns)),
            ("in_row", positive(in_row)),
            ("in_column", positive(in_column)),
            ("out_start", positive(out_start)),
            ("out_row", positive(out_row)),
            ("out_column", positive(out_column)),
            ("groups", positive(matrix.groups)),
            ("outputs", positive(matrix.outputs)),
            ("segments", positive(piece.segments.len())),
            ("quads", positive(quads)),
            ("places", positive(places.offset)),
            ("weights", positive(weights.offset)),
            ("rows", positive(words.offset)),
        ];
        let arguments = vec![
            Argument::Record("convolution", record),
            Argument::Constants,
            Argument::Read(from),
            Argument::Written(to),
            Argument::Scratch,
        ];
        let mut step = Step::new(&["vector", "convolution"], "convolution", arguments);
        step.scratch = padded[0] * padded[1] * channels;
        self.push(step);
        Ok(())
    }

    fn depthwise(
        &mut self,
        index: usize,
        (packing, weights): (&Packing, &Weights),
        rows: &[Row],
        (attributes, reach): (&Convolution, [usize; 2]),
        ([height, width, channels], [out_height, out_width], kernel): ([usize; 3], [usize; 2], [usize; 2]),
        (from, to): (BufferId, BufferId),
    ) -> Result<(), String> {
        let node = &self.graph.nodes[index];
        let input = self.graph.value(node.inputs[0]);
        let zeros: Vec<i8> = (0..channels).map(|channel| input.encoding_of(channel).zero_point).collect();
        check_image(reach, channels)?;
        let area = kernel[0] * kernel[1];
        let rows: Vec<Row> = rows
            .iter()
            .zip(weights.values.chunks_exact(area))
            .zip(&zeros)
            .map(|((row, weights), &zero)| {
                let sum: i64 = weights.iter().map(|&q| i64::from(q)).sum();
                Row { bias: (i64::from(row.bias) - (i64::from(zero) + 128) * sum) as i32, ..*row }
            })
            .collect();
        let mut words = Vec::new();
        rows.chunks(CHANNELS).for_each(|block| push_rows(block, CHANNELS, lane, &mut words));
        let place = |at: usize| {
            let (y, x) = (at / kernel[1] * attributes.dilations[0], at % kernel[1] * attributes.dilations[1]);
            ((y * reach[1] + x) * channels) as i32
        };
        // Places behind the last have zero weights: they read what the last one reads.
        let places: Vec<i32> = (0..area.next_multiple_of(4)).map(|at| place(at.min(area - 1))).collect();
        let packed = packing.pack(&weights.values);
        let weights = self.pool.int8(&packed[0]);
        self.weights[index].push(weights);
        let (zeros, places, words) = (self.pool.int8(&zeros), self.pool.int32(&places), self.pool.int32(&words));
        let record = vec![
            ("images", positive(input.len() / (height * width * channels).max(1))),
            ("in_image", positive(height * width * channels)),
            ("out_image", positive(out_height * out_width * channels)),
            ("height", positive(height)),
            ("width", positive(width)),
            ("channels", positive(channels)),
            ("top", positive(attributes.pads[0])),
            ("left", positive(attributes.pads[1])),
            ("padded_height", positive(reach[0])),
            ("padded_width", positive(reach[1])),
            ("out_height", positive(out_height)),
            ("out_width", positive(out_width)),
            ("in_row", positive(attributes.strides[0] * reach[1] * channels)),
            ("in_column", positive(attributes.strides[1] * channels)),
            ("quads", positive(area.div_ceil(4))),
            ("paddings", positive(zeros.offset)),
            ("places", positive(places.offset)),
            ("weights", positive(weights.offset)),
            ("rows", positive(words.offset)),
        ];
        let arguments = vec![
            Argument::Record("depthwise", record),
            Argument::Constants,
            Argument::Read(from),
            Argument::Written(to),
            Argument::Scratch,
        ];
        let mut step = Step::new(&["vector", "depthwise"], "depthwise", arguments);
        step.scratch = reach[0] * reach[1] * channels;
        self.push(step);
        Ok(())
    }
}

/// Refuses an image whose places in its padding do not fit 31 bits.
fn check_image(reach: [usize; 2], channels: usize) -> Result<(), String> {
    let bytes = reach[0].checked_mul(reach[1]).and_then(|area| area.checked_mul(channels));
    if bytes.is_some_and(|bytes| i32::try_from(bytes).is_ok()) {
        return Ok(());
    }
    Err(format!(
        "its input in its padding, {} x {} x {channels}, has more elements than 31 bits count",
        reach[0], reach[1]
    ))
}

/// Biases, multipliers, bounds and zero points of a block of outputs, each list in the order of its lanes.
fn push_rows(block: &[Row], size: usize, lane: impl Fn(usize) -> usize, words: &mut Vec<i32>) {
    let mut lists = vec![0_i32; 5 * size];
    for (place, row) in block.iter().enumerate() {
        let (low, high, zero) = row.saturation.bounds();
        let values = [row.bias, row.multiplier.to_bits() as i32, low.to_bits() as i32, high.to_bits() as i32, zero];
        for (list, value) in lists.chunks_exact_mut(size).zip(values) {
            list[lane(place)] = value;
        }
    }
    words.extend(lists);
}

fn rows(node: &QuantizedNode, weights: &Weights, [input, output]: [&QuantizedValue; 2]) -> Vec<Row> {
    let count = weights.scales.len();
    let one = |channel: usize| {
        let from = input.encoding_of(input.channel_read_by(channel, count));
        let to = output.encoding_of(channel);
        let clamp = if output.channels.is_empty() { node.clamp } else { clamp_behind(to, node.activation) };
        Row {
            bias: weights.bias[channel],
            multiplier: multiplier(from.scale, weights.scales[channel], to.scale),
            saturation: Saturation::between(to.zero_point, clamp),
        }
    };
    (0..count).map(one).collect()
}
