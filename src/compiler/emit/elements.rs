//! Operators that compute with elements: arithmetic, pooling, interpolation, normalization, softmax, products of two values.

use crate::compiler::emit::flow::Flow;
use crate::compiler::emit::flow::bounds;
use crate::compiler::emit::flow::check_axes;
use crate::compiler::emit::order::Order;
use crate::compiler::emit::order::natural;
use crate::compiler::emit::order::row_major;
use crate::compiler::emit::order::significant;
use crate::compiler::emit::order::steps;
use crate::compiler::emit::step::Argument;
use crate::compiler::emit::step::Number;
use crate::compiler::emit::step::Step;
use crate::compiler::graph::broadcast_strides;
use crate::compiler::operators::Arithmetic;
use crate::compiler::operators::Pool;
use crate::compiler::operators::PoolKind;
use crate::compiler::operators::Resize;
use crate::compiler::operators::ResizeMode;
use crate::compiler::operators::pooling::integer::spans;
use crate::compiler::operators::resize::integer::Neighbours;
use crate::compiler::quantize::QuantizedNode;
use crate::compiler::quantize::QuantizedValue;
use crate::compiler::quantize::TensorId;
use crate::compiler::quantize::contract::Saturation;
use crate::compiler::quantize::contract::concat_table;
use crate::compiler::quantize::contract::exponentials;
use crate::compiler::quantize::contract::interpolation_multiplier;
use crate::compiler::quantize::contract::multiplier;

/// N, C, H and W.
fn sizes(value: &QuantizedValue) -> [usize; 4] {
    match *value.shape {
        [n, c, h, w] => [n, c, h, w],
        _ => [1, 1, 1, value.len()],
    }
}

fn integer(number: usize) -> Number {
    Number::Integer(number as i64)
}

fn zero(value: &QuantizedValue) -> Number {
    Number::Integer(i64::from(value.encoding.zero_point))
}

impl Flow<'_> {
    /// The order of axes of an output that operands broadcast to: that of an operand which is as large, if there is one.
    fn broadcast_order(&self, operands: [TensorId; 2], output: &QuantizedValue) -> Result<Order, String> {
        for id in operands {
            let value = self.graph.value(id);
            if value.shape == output.shape && value.constant.is_none() {
                return Ok(self.place(id)?.order);
            }
        }
        Ok(natural(output.shape.len()))
    }

    pub(super) fn arithmetic(&mut self, node: &QuantizedNode, operation: Arithmetic) -> Result<(), String> {
        let &[left_id, right_id] = node.inputs.as_slice() else { return Err("it has no two operands".to_owned()) };
        let (left, right, output) =
            (self.graph.value(left_id), self.graph.value(right_id), self.graph.value(node.output));
        let order = self.broadcast_order([left_id, right_id], output)?;
        let rank = output.shape.len();
        let mut buffers = Vec::new();
        let mut all_steps = Vec::new();
        for id in [left_id, right_id] {
            let value = self.graph.value(id);
            let missing = rank - value.shape.len();
            // The same order, of the axes that this operand has.
            let own: Order = order.iter().filter_map(|&axis| axis.checked_sub(missing)).collect();
            buffers.push(self.read(id, &own)?);
            let own_steps = steps(&value.shape, &own);
            let step = |axis: usize| match axis.checked_sub(missing) {
                Some(at) if value.shape[at] != 1 => own_steps[at],
                _ => 0,
            };
            all_steps.push((0..rank).map(step).collect::<Vec<usize>>());
        }
        let mut axes: Vec<[usize; 3]> = Vec::new();
        for axis in significant(&output.shape, &order) {
            let next = [output.shape[axis], all_steps[0][axis], all_steps[1][axis]];
            match axes.last_mut() {
                Some(last) if last[1] == next[1] * next[0] && last[2] == next[2] * next[0] => {
                    *last = [last[0] * next[0], next[1], next[2]];
                }
                _ => axes.push(next),
            }
        }
        if axes.is_empty() {
            axes.push([1, 1, 1]);
        }
        check_axes(axes.len())?;
        let mut how = vec![axes.len() as i64];
        for part in 0..3 {
            how.extend(axes.iter().map(|axis| axis[part] as i64));
        }
        let saturation = Saturation::between(output.encoding.zero_point, node.clamp);
        let mut scales = [left.encoding.scale, right.encoding.scale];
        if operation == Arithmetic::Subtract {
            // The second operand's terms are negated; so they are by a negated scale, to the bit.
            scales[1] = -scales[1];
        }
        let zeros = [left, right].map(|value| i64::from(value.encoding.zero_point));
        let mut record = vec![
            ("scales", Number::Reals(scales)),
            ("out_scale", Number::Real(output.encoding.scale)),
            ("multiplier", Number::Real(multiplier(scales[0], scales[1], output.encoding.scale))),
            ("zeros", Number::Pair(zeros)),
            ("lowest", Number::Integer(i64::from(node.clamp[0]))),
            ("highest", Number::Integer(i64::from(node.clamp[1]))),
        ];
        record.extend(["low", "high", "zero"].into_iter().zip(bounds(saturation)));
        let (kernels, function): (&'static [&'static str], _) = match operation {
            Arithmetic::Add | Arithmetic::Subtract => (&["arithmetic", "sum"], "sum"),
            Arithmetic::Multiply => (&["arithmetic", "product"], "product"),
            Arithmetic::Divide => (&["arithmetic", "wide", "quotient"], "quotient"),
        };
        let to = self.written(node.output, order);
        let arguments = vec![
            Argument::Record("arithmetic", record),
            Argument::Numbers(how),
            Argument::Plain(function.to_owned()),
            Argument::Read(buffers[0]),
            Argument::Read(buffers[1]),
            Argument::Written(to),
        ];
        self.push(Step::new(kernels, "arithmetic", arguments));
        Ok(())
    }

    pub(super) fn global_pool(&mut self, node: &QuantizedNode, kind: PoolKind) -> Result<(), String> {
        let [_, _, height, width] = sizes(self.graph.value(node.inputs[0]));
        let pool = Pool {
            kind,
            kernel: [height, width],
            strides: [1, 1],
            pads: [0; 4],
            dilations: [1, 1],
            count_include_pad: false,
        };
        self.pool(node, &pool)
    }

    pub(super) fn pool(&mut self, node: &QuantizedNode, pool: &Pool) -> Result<(), String> {
        let (input, output) = (self.graph.value(node.inputs[0]), self.graph.value(node.output));
        let ([images, channels, height, width], [_, _, out_height, out_width]) = (sizes(input), sizes(output));
        let from = self.read_natural(node.inputs[0])?;
        let to = self.written_natural(node.output);
        let mut windows = Vec::new();
        for (axis, (size, out_size)) in [(height, out_height), (width, out_width)].into_iter().enumerate() {
            for span in spans(pool, axis, size, out_size) {
                let count = span.inside.len();
                let first = span.inside.clone().next().unwrap_or(0);
                windows.extend([first, count, span.with_padding].map(|number| number as i32));
            }
        }
        let windows = self.pool.int32(&windows);
        let mut record = vec![
            ("images", integer(images)),
            ("height", integer(height)),
            ("width", integer(width)),
            ("channels", integer(channels)),
            ("out_height", integer(out_height)),
            ("out_width", integer(out_width)),
            ("row_dilation", integer(pool.dilations[0])),
            ("column_dilation", integer(pool.dilations[1])),
            ("windows", integer(windows.offset)),
            ("scale", Number::Real(input.encoding.scale)),
            ("out_scale", Number::Real(output.encoding.scale)),
            ("zero_in", zero(input)),
            ("with_padding", integer(usize::from(pool.count_include_pad))),
        ];
        record.extend(["low", "high", "zero"].into_iter().zip(bounds(Saturation::full(output.encoding.zero_point))));
        let mut arguments =
            vec![Argument::Record("pool", record), Argument::Constants, Argument::Read(from), Argument::Written(to)];
        if pool.kind == PoolKind::Maximum {
            self.push(Step::new(&["pool", "maximum_pool"], "maximum_pool", arguments));
        } else {
            arguments.push(Argument::Scratch);
            let mut step = Step::new(&["pool", "average_pool"], "average_pool", arguments);
            step.scratch = 4 * channels;
            self.push(step);
        }
        Ok(())
    }

    pub(super) fn requantize(&mut self, node: &QuantizedNode) -> Result<(), String> {
        let (input, output) = (self.graph.value(node.inputs[0]), self.graph.value(node.output));
        let same: Vec<i8> = (i8::MIN..=i8::MAX).collect();
        let table = |&to| concat_table(input.encoding, to).map_or_else(|| same.clone(), |table| table.to_vec());
        let tables: Vec<i8> = output.channels.iter().flat_map(table).collect();
        let channels = output.channels.len().max(1);
        let tables = self.pool.int8(&tables);
        let from = self.read_natural(node.inputs[0])?;
        let to = self.written_natural(node.output);
        let arguments = vec![
            Argument::Table(tables),
            Argument::Read(from),
            Argument::Written(to),
            Argument::Plain((output.len() / channels).to_string()),
            Argument::Plain(channels.to_string()),
        ];
        self.push(Step::new(&["look_up_channels"], "look_up_channels", arguments));
        Ok(())
    }

    pub(super) fn resize(&mut self, node: &QuantizedNode, resize: &Resize) -> Result<(), String> {
        if resize.mode != ResizeMode::Linear {
            return self.nearest(node, resize);
        }
        let (input, output) = (self.graph.value(node.inputs[0]), self.graph.value(node.output));
        let ([images, channels, height, width], [_, _, out_height, out_width]) = (sizes(input), sizes(output));
        let from = self.read_natural(node.inputs[0])?;
        let to = self.written_natural(node.output);
        let rows = Neighbours::of(resize, 0, height, out_height);
        let columns = Neighbours::of(resize, 1, width, out_width);
        let mut neighbours = Vec::new();
        for axis in [&rows, &columns] {
            for (&[first, second], &weight) in axis.places.iter().zip(&axis.seconds) {
                neighbours.extend([first as i32, second as i32, weight]);
            }
        }
        let neighbours = self.pool.int32(&neighbours);
        let scales = [input.encoding.scale, output.encoding.scale];
        let factor = interpolation_multiplier(scales[0], scales[1], [rows.parts, columns.parts]);
        let mut record = vec![
            ("images", integer(images)),
            ("height", integer(height)),
            ("width", integer(width)),
            ("channels", integer(channels)),
            ("out_height", integer(out_height)),
            ("out_width", integer(out_width)),
            ("row_parts", integer(rows.parts as usize)),
            ("column_parts", integer(columns.parts as usize)),
            ("neighbours", integer(neighbours.offset)),
            ("multiplier", Number::Real(factor)),
            ("zero_in", zero(input)),
        ];
        record.extend(["low", "high", "zero"].into_iter().zip(bounds(Saturation::full(output.encoding.zero_point))));
        let arguments = vec![
            Argument::Record("linear_resize", record),
            Argument::Constants,
            Argument::Read(from),
            Argument::Written(to),
        ];
        self.push(Step::new(&["linear_resize"], "linear_resize", arguments));
        Ok(())
    }

    pub(super) fn instance_normalization(
        &mut self,
        node: &QuantizedNode,
        epsilon: f32,
        factors: [&[f32]; 2],
    ) -> Result<(), String> {
        let (input, output) = (self.graph.value(node.inputs[0]), self.graph.value(node.output));
        let channels = factors[0].len().max(1);
        let &[images, _, ref plane @ ..] = input.shape.as_slice() else { return Err("it has no planes".to_owned()) };
        let positions: usize = plane.iter().product();
        // Channels innermost, whatever the number of the other axes is.
        let order: Order = [0].into_iter().chain(2..input.shape.len()).chain([1]).collect();
        let from = self.read(node.inputs[0], &order)?;
        let to = self.written(node.output, order);
        let factors = self.pool.float32(&factors.concat());
        let record = vec![
            ("images", integer(images)),
            ("positions", integer(positions)),
            ("channels", integer(channels)),
            ("epsilon", Number::Real(epsilon)),
            ("scale", Number::Real(input.encoding.scale)),
            ("out_scale", Number::Real(output.encoding.scale)),
            ("zero_in", zero(input)),
            ("zero", zero(output)),
            ("factors", integer(factors.offset)),
        ];
        let arguments = vec![
            Argument::Record("instance_normalization", record),
            Argument::Constants,
            Argument::Read(from),
            Argument::Written(to),
            Argument::Scratch,
        ];
        let mut step = Step::new(&["wide", "instance_normalization"], "instance_normalization", arguments);
        step.scratch = channels * (8 + 8 + 256);
        self.push(step);
        Ok(())
    }

    pub(super) fn softmax(&mut self, node: &QuantizedNode, axis: usize) -> Result<(), String> {
        let (input, output) = (self.graph.value(node.inputs[0]), self.graph.value(node.output));
        let place = self.place(node.inputs[0])?;
        let inner = steps(&input.shape, &place.order)[axis];
        let length = input.shape[axis];
        let table = self.pool.int32(&exponentials(input.encoding, length));
        let to = self.written(node.output, place.order);
        let mut record = vec![
            ("outer", integer(input.len() / (length * inner).max(1))),
            ("length", integer(length)),
            ("inner", integer(inner)),
            ("exponentials", integer(table.offset)),
            ("out_scale", Number::Real(output.encoding.scale)),
        ];
        record.extend(["low", "high", "zero"].into_iter().zip(bounds(Saturation::full(output.encoding.zero_point))));
        let arguments = vec![
            Argument::Record("softmax", record),
            Argument::Constants,
            Argument::Read(place.buffer),
            Argument::Written(to),
        ];
        self.push(Step::new(&["softmax"], "softmax", arguments));
        Ok(())
    }

    pub(super) fn product(&mut self, node: &QuantizedNode) -> Result<(), String> {
        let &[left_id, right_id] = node.inputs.as_slice() else { return Err("it has no two operands".to_owned()) };
        let (left, right, output) =
            (self.graph.value(left_id), self.graph.value(right_id), self.graph.value(node.output));
        let from = self.read(left_id, &row_major(left.shape.len()))?;
        let other = self.read(right_id, &row_major(right.shape.len()))?;
        let to = self.written(node.output, row_major(output.shape.len()));
        let (outer, matrix) = output.shape.split_at(output.shape.len() - 2);
        let length = left.shape.last().copied().unwrap_or(1);
        check_axes(outer.len())?;
        let mut how = vec![outer.len() as i64];
        how.extend(outer.iter().map(|&size| size as i64));
        for (value, size) in [(left, matrix[0] * length), (right, matrix[1] * length)] {
            let steps = broadcast_strides(&value.shape[..value.shape.len() - 2], outer);
            how.extend(steps.iter().map(|&step| (step * size) as i64));
        }
        let scales = [left, right, output].map(|value| value.encoding.scale);
        let zeros = [left, right].map(|value| i64::from(value.encoding.zero_point));
        let mut record = vec![
            ("rows", integer(matrix[0])),
            ("length", integer(length)),
            ("columns", integer(matrix[1])),
            ("zeros", Number::Pair(zeros)),
            ("multiplier", Number::Real(multiplier(scales[0], scales[1], scales[2]))),
        ];
        let saturation = Saturation::between(output.encoding.zero_point, node.clamp);
        record.extend(["low", "high", "zero"].into_iter().zip(bounds(saturation)));
        let arguments = vec![
            Argument::Record("matrix_product", record),
            Argument::Numbers(how),
            Argument::Read(from),
            Argument::Read(other),
            Argument::Written(to),
            Argument::Scratch,
        ];
        let mut step = Step::new(&["matrix_product"], "matrix_product", arguments);
        step.scratch = 4 * matrix[1];
        self.push(step);
        Ok(())
    }
}
