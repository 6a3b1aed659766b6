//! Padding with the input's own elements (ONNX Pad with the modes `reflect` and `edge`).

use crate::compiler::graph::strides;
use crate::compiler::onnx::ExportedNode;
use crate::compiler::onnx::Writer;
use crate::compiler::onnx::proto::AttributeProto;
use crate::compiler::operators::movement::padded_shape;

/// How a tensor goes on beyond its edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Continuation {
    /// Backwards from the edge, which is not repeated: `c b | a b c | b a`.
    Reflect,
    /// With the edge itself: `a a | a b c | c c`.
    Edge,
}

/// Elements added around a tensor that are copies of its own.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Extension {
    /// Elements added before each axis.
    pub before: Vec<usize>,
    /// Elements added after each axis.
    pub after: Vec<usize>,
    /// Which they are.
    pub continuation: Continuation,
}

impl Extension {
    /// The output's shape, or what does not fit: a reflection reaches at most to the other end.
    pub fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, String> {
        let shape = padded_shape(input, &self.before, &self.after)?;
        for ((&size, &before), &after) in input.iter().zip(&self.before).zip(&self.after) {
            let most = match self.continuation {
                Continuation::Reflect => size.saturating_sub(1),
                Continuation::Edge => usize::MAX,
            };
            if size == 0 || before > most || after > most {
                let name = self.mode();
                return Err(format!(
                    "an axis of {size} cannot be padded by {before} and {after} with the mode `{name}`"
                ));
            }
        }
        Ok(shape)
    }

    const fn mode(&self) -> &'static str {
        match self.continuation {
            Continuation::Reflect => "reflect",
            Continuation::Edge => "edge",
        }
    }

    pub(crate) fn export(&self, node: &ExportedNode<'_>, writer: &mut Writer) {
        let pads: Vec<i64> = self.before.iter().chain(&self.after).map(|&pad| pad as i64).collect();
        let pads = writer.integers(node, "pads", &pads);
        writer.node("Pad", node, &[&pads], vec![AttributeProto::text("mode", self.mode())]);
    }

    /// The input place of each output place along an axis of `size`.
    #[must_use]
    pub fn places(&self, axis: usize, size: usize) -> Vec<usize> {
        let place = |at: usize| {
            // From the first element on, negative before it.
            let at = at as i64 - self.before[axis] as i64;
            let last = size as i64 - 1;
            let inside = match self.continuation {
                Continuation::Reflect => last - (last - at.abs()).abs(),
                Continuation::Edge => at.clamp(0, last),
            };
            inside as usize
        };
        (0..self.before[axis] + size + self.after[axis]).map(place).collect()
    }

    /// Copies the elements of a tensor of `shape`; the output has the shape of [`Extension::output_shape`].
    pub fn run<T: Copy>(&self, input: &[T], shape: &[usize], output: &mut [T]) {
        let Some((&width, outer)) = shape.split_last() else {
            output.copy_from_slice(input);
            return;
        };
        let places: Vec<Vec<usize>> = shape.iter().enumerate().map(|(axis, &size)| self.places(axis, size)).collect();
        let columns = &places[outer.len()];
        let steps = strides(shape);
        let mut index = vec![0_usize; outer.len()];
        for row in output.chunks_exact_mut(columns.len()) {
            let start: usize = index.iter().enumerate().map(|(axis, &at)| places[axis][at] * steps[axis]).sum();
            let from = &input[start..start + width];
            for (to, &column) in row.iter_mut().zip(columns) {
                *to = from[column];
            }
            for axis in (0..outer.len()).rev() {
                index[axis] += 1;
                if index[axis] < places[axis].len() {
                    break;
                }
                index[axis] = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_go_on_as_the_standard_draws_them() {
        let cases = [(Continuation::Reflect, [3, 2, 1, 2, 3, 2]), (Continuation::Edge, [1, 1, 1, 2, 3, 3])];
        for (continuation, expected) in cases {
            let extension = Extension { before: vec![1, 2], after: vec![0, 1], continuation };
            assert_eq!(extension.output_shape(&[2, 3]), Ok(vec![3, 6]));
            let mut output = [0; 18];
            extension.run(&[1, 2, 3, 11, 12, 13], &[2, 3], &mut output);
            assert_eq!(output[6..12], expected, "{continuation:?}");
            let above = if continuation == Continuation::Edge { expected } else { expected.map(|q| q + 10) };
            assert_eq!(output[..6], above, "{continuation:?}");
        }
    }

    #[test]
    fn more_than_the_tensor_has_is_refused() {
        let reflect = Extension { before: vec![3], after: vec![0], continuation: Continuation::Reflect };
        assert!(reflect.output_shape(&[3]).is_err());
        assert!(reflect.output_shape(&[4]).is_ok());
        assert!(Extension { continuation: Continuation::Edge, ..reflect }.output_shape(&[3]).is_ok());
    }
}
