//! Operators that move elements and compute none.

use crate::compiler::emit::constants::Span;
use crate::compiler::emit::flow::Flow;
use crate::compiler::emit::flow::check_axes;
use crate::compiler::emit::order::natural;
use crate::compiler::emit::order::reshaped;
use crate::compiler::emit::order::row_major;
use crate::compiler::emit::order::steps;
use crate::compiler::emit::order::transposed;
use crate::compiler::emit::step::Argument;
use crate::compiler::emit::step::Step;
use crate::compiler::operators::Extension;
use crate::compiler::operators::Resize;
use crate::compiler::operators::Slice;
use crate::compiler::operators::resize::integer::nearest;
use crate::compiler::quantize::QuantizedNode;
use crate::compiler::quantize::contract::concat_table;

impl Flow<'_> {
    pub(super) fn reshape(&mut self, node: &QuantizedNode) -> Result<(), String> {
        let (input, output) = (self.graph.value(node.inputs[0]), self.graph.value(node.output));
        let place = self.place(node.inputs[0])?;
        if let Some(order) = reshaped(&input.shape, &place.order, &output.shape) {
            self.same_bytes(node.output, place.buffer, order);
            return Ok(());
        }
        let buffer = self.read(node.inputs[0], &row_major(input.shape.len()))?;
        self.same_bytes(node.output, buffer, row_major(output.shape.len()));
        Ok(())
    }

    pub(super) fn transpose(&mut self, node: &QuantizedNode, permutation: &[usize]) -> Result<(), String> {
        let place = self.place(node.inputs[0])?;
        self.same_bytes(node.output, place.buffer, transposed(&place.order, permutation));
        Ok(())
    }

    pub(super) fn slice(&mut self, node: &QuantizedNode, slice: &Slice) -> Result<(), String> {
        let (input, output) = (self.graph.value(node.inputs[0]), self.graph.value(node.output));
        let place = self.place(node.inputs[0])?;
        let mut from: Vec<i64> = steps(&input.shape, &place.order).into_iter().map(|step| step as i64).collect();
        let mut start = 0;
        for ((&axis, &first), &step) in slice.axes.iter().zip(&slice.starts).zip(&slice.steps) {
            start += first * from[axis];
            from[axis] *= step;
        }
        let to = steps(&output.shape, &place.order);
        let axes = place.order.iter().map(|&axis| (output.shape[axis], from[axis], to[axis] as i64)).collect();
        let buffer = self.written(node.output, place.order);
        self.moved(axes, [start, 0], None, (place.buffer, buffer))
    }

    pub(super) fn pad(&mut self, node: &QuantizedNode, before: &[usize], value: i8) -> Result<(), String> {
        let (input, output) = (self.graph.value(node.inputs[0]), self.graph.value(node.output));
        let place = self.place(node.inputs[0])?;
        let (from, to) = (steps(&input.shape, &place.order), steps(&output.shape, &place.order));
        let start: usize = before.iter().zip(&to).map(|(before, step)| before * step).sum();
        let axes = place.order.iter().map(|&axis| (input.shape[axis], from[axis] as i64, to[axis] as i64)).collect();
        let buffer = self.written(node.output, place.order);
        let arguments = vec![
            Argument::Written(buffer),
            Argument::Plain(output.len().to_string()),
            Argument::Plain(value.to_string()),
        ];
        self.push(Step::new(&["fill"], "fill", arguments));
        self.moved(axes, [0, start as i64], None, (place.buffer, buffer))
    }

    pub(super) fn concat(&mut self, node: &QuantizedNode, axis: usize) -> Result<(), String> {
        let output = self.graph.value(node.output);
        // The order of the largest input, so that the least is rearranged.
        let largest = node.inputs.iter().copied().max_by_key(|&id| {
            let value = self.graph.value(id);
            (value.constant.is_none(), value.len(), std::cmp::Reverse(id))
        });
        let order = match largest {
            Some(id) => self.place(id)?.order,
            None => natural(output.shape.len()),
        };
        let to = steps(&output.shape, &order);
        let mut parts = Vec::new();
        for &id in &node.inputs {
            parts.push(self.read(id, &order)?);
        }
        let buffer = self.written(node.output, order.clone());
        let mut start = 0;
        for (&id, part) in node.inputs.iter().zip(parts) {
            let value = self.graph.value(id);
            let from = steps(&value.shape, &order);
            let axes = order.iter().map(|&axis| (value.shape[axis], from[axis] as i64, to[axis] as i64)).collect();
            let table: Option<Span> =
                concat_table(value.encoding, output.encoding).map(|table| self.pool.int8(&table[..]));
            self.moved(axes, [0, (start * to[axis]) as i64], table, (part, buffer))?;
            start += value.shape[axis];
        }
        Ok(())
    }

    pub(super) fn extension(&mut self, node: &QuantizedNode, extension: &Extension) -> Result<(), String> {
        let input = self.graph.value(node.inputs[0]);
        let places = input.shape.iter().enumerate().map(|(axis, &size)| extension.places(axis, size));
        self.gathered(node, &places.collect::<Vec<_>>())
    }

    pub(super) fn nearest(&mut self, node: &QuantizedNode, resize: &Resize) -> Result<(), String> {
        let (input, output) = (self.graph.value(node.inputs[0]), self.graph.value(node.output));
        let &[n, c, height, width] = input.shape.as_slice() else { return Err("it has no plane".to_owned()) };
        let rows = nearest(resize, 0, height, output.shape[2]);
        let columns = nearest(resize, 1, width, output.shape[3]);
        self.gathered(node, &[(0..n).collect(), (0..c).collect(), rows, columns])
    }

    /// Copies from the places that are given for each axis.
    fn gathered(&mut self, node: &QuantizedNode, places: &[Vec<usize>]) -> Result<(), String> {
        let input = self.graph.value(node.inputs[0]);
        let place = self.place(node.inputs[0])?;
        let from = steps(&input.shape, &place.order);
        let mut axes = place.order.clone();
        // Innermost axes that are copied as they are form runs.
        let mut run = 1;
        while let Some(&axis) = axes.last() {
            if places[axis].iter().enumerate().any(|(at, &place)| at != place)
                || places[axis].len() != input.shape[axis]
            {
                break;
            }
            run *= input.shape[axis];
            axes.pop();
        }
        let mut how = vec![axes.len() as i64, run as i64];
        how.extend(axes.iter().map(|&axis| places[axis].len() as i64));
        check_axes(axes.len())?;
        let added: Vec<i32> = axes
            .iter()
            .flat_map(|&axis| places[axis].iter().map(|&place| (place * from[axis]) as i32).collect::<Vec<_>>())
            .collect();
        let added = self.pool.int32(&added);
        let buffer = self.written(node.output, place.order);
        let arguments = vec![
            Argument::Numbers(how),
            Argument::Words(added),
            Argument::Read(place.buffer),
            Argument::Written(buffer),
        ];
        self.push(Step::new(&["gather"], "gather", arguments));
        Ok(())
    }
}
