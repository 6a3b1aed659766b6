//! Parts of a tensor: reading ONNX Slice, Split, Gather of places that are known, and the old Crop.

use crate::compiler::graph::ValueId;
use crate::compiler::onnx::Builder;
use crate::compiler::onnx::ExportedNode;
use crate::compiler::onnx::OnnxNode;
use crate::compiler::onnx::Refusal;
use crate::compiler::onnx::Writer;
use crate::compiler::operators::Operator;
use crate::compiler::operators::movement::axes;
use crate::compiler::operators::movement::axis;
use crate::compiler::operators::window;

type Imported = Result<Vec<ValueId>, Refusal>;

/// Part of a tensor: along each named axis, `start, start + step, …` up to before `end`. All resolved to real places:
/// `step` is not 0; for a negative step `end` may be −1.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Slice {
    /// Axis, counted from the front; each at most once, ascending.
    pub axes: Vec<usize>,
    /// First element of each axis.
    pub starts: Vec<i64>,
    /// Limit of each axis, exclusive.
    pub ends: Vec<i64>,
    /// Step of each axis.
    pub steps: Vec<i64>,
}

impl Slice {
    /// One axis from `start` to before `end`, step 1.
    #[must_use]
    pub fn range(axis: usize, start: usize, end: usize) -> Self {
        Self { axes: vec![axis], starts: vec![start as i64], ends: vec![end as i64], steps: vec![1] }
    }

    /// Elements that the entry at `place` takes.
    fn count(start: i64, end: i64, step: i64) -> usize {
        let distance = if step > 0 { end.saturating_sub(start) } else { start.saturating_sub(end) };
        let step = step.unsigned_abs();
        u64::try_from(distance).map_or(0, |distance| distance.div_ceil(step)) as usize
    }

    /// Elements that each entry takes.
    pub(crate) fn counts(&self) -> Vec<usize> {
        let entries = self.starts.iter().zip(&self.ends).zip(&self.steps);
        entries.map(|((&start, &end), &step)| if step == 0 { 0 } else { Self::count(start, end, step) }).collect()
    }

    /// The output's shape for an input, or what does not fit.
    pub fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, String> {
        let mut shape = input.to_vec();
        let entries = self.axes.iter().zip(&self.starts).zip(&self.ends).zip(&self.steps);
        for (((&axis, &start), &end), &step) in entries {
            let size = *input.get(axis).ok_or_else(|| format!("the axis {axis} is outside {input:?}"))?;
            let count = if step == 0 { 0 } else { Self::count(start, end, step) };
            let last = i64::try_from(count).ok().and_then(|count| (count - 1).checked_mul(step)?.checked_add(start));
            let inside = |place: i64| usize::try_from(place).is_ok_and(|place| place < size);
            if count == 0 || !inside(start) || !last.is_some_and(inside) {
                return Err(format!("the part {start}..{end} (step {step}) of {size} elements is empty or outside"));
            }
            shape[axis] = count;
        }
        Ok(shape)
    }

    /// Resolves ONNX's values: negative places count from the back, places outside are moved to the edge.
    fn resolve(input: &[usize], wanted: &[(usize, i64, i64, i64)]) -> Result<Self, String> {
        let mut sorted = wanted.to_vec();
        sorted.sort_by_key(|entry| entry.0);
        let mut slice = Self { axes: vec![], starts: vec![], ends: vec![], steps: vec![] };
        for (axis, start, end, step) in sorted {
            let size = input[axis] as i64;
            let place = |value: i64| if value < 0 { value.saturating_add(size) } else { value };
            let (start, end) = match step {
                0 => return Err("a step is 0".to_owned()),
                _ if size == 0 => (0, 0),
                1.. => (place(start).clamp(0, size), place(end).clamp(0, size)),
                _ => (place(start).clamp(0, size - 1), place(end).clamp(-1, size - 1)),
            };
            slice.axes.push(axis);
            slice.starts.push(start);
            slice.ends.push(end);
            // A step beyond the size takes one element whatever it is.
            slice.steps.push(step.clamp(-size.max(1), size.max(1)));
        }
        Ok(slice)
    }

    pub(crate) fn export(&self, node: &ExportedNode<'_>, writer: &mut Writer) {
        let input = node.input_shapes.first().copied().unwrap_or_default();
        // A limit of −1 (before the first element) is written as one that stays before it when counted from the back.
        let before_first = |axis: usize| -1 - input.get(axis).map_or(0, |&size| size as i64);
        let ends = self.ends.iter().zip(&self.axes);
        let ends: Vec<i64> = ends.map(|(&end, &axis)| if end < 0 { before_first(axis) } else { end }).collect();
        let axes: Vec<i64> = self.axes.iter().map(|&axis| axis as i64).collect();
        let starts = writer.integers(node, "starts", &self.starts);
        let ends = writer.integers(node, "ends", &ends);
        let axes = writer.integers(node, "axes", &axes);
        let steps = writer.integers(node, "steps", &self.steps);
        writer.node("Slice", node, &[&starts, &ends, &axes, &steps], vec![]);
    }
}

/// Slice: attributes before opset 10, constant inputs since.
pub(crate) fn slice(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    let x = node.input(0)?;
    let (starts, ends, wanted_axes, steps) = if node.opset() < 10 {
        (node.integers("starts")?, node.integers("ends")?, node.integers("axes")?, None)
    } else {
        let read = |place: usize, what: &str| -> Result<Option<Vec<i64>>, Refusal> {
            node.optional(place).map(|id| builder.integers(id, what).map(<[i64]>::to_vec)).transpose()
        };
        (read(1, "starts")?, read(2, "ends")?, read(3, "axes")?, read(4, "steps")?)
    };
    let (Some(starts), Some(ends)) = (starts, ends) else {
        return Err(Refusal::new("`starts` or `ends` is missing"));
    };
    let input = builder.shape(x).to_vec();
    let wanted_axes = wanted_axes.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = steps.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), wanted_axes.len(), steps.len()] != [starts.len(); 3] {
        return Err(Refusal::new("`starts`, `ends`, `axes` and `steps` differ in length"));
    }
    let places = axes(&wanted_axes, input.len())?;
    let wanted: Vec<_> = (0..starts.len()).map(|at| (places[at], starts[at], ends[at], steps[at])).collect();
    let slice = Slice::resolve(&input, &wanted)?;
    if let Some(id) = builder.empty_part(x, &slice)? {
        return Ok(vec![id]);
    }
    let shape = slice.output_shape(&input)?;
    Ok(vec![builder.push(Operator::Slice(slice), vec![x], shape)?])
}

/// Crop, which opset 10 took back: `border` is left, top, right, bottom; with `scale` (H and W) the last two follow from it.
pub(crate) fn crop(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    node.experimental()?;
    let x = node.input(0)?;
    let [height, width] = window::spatial(builder.shape(x))?;
    let border = node.integers("border")?.unwrap_or_default();
    let scale = node.integers("scale")?;
    let amount = |value: i64| usize::try_from(value).ok();
    let range = |before: i64, after: i64, size: usize, kept: Option<i64>| {
        let start = amount(before)?;
        let end = match kept {
            Some(kept) => start.checked_add(amount(kept)?)?,
            None => size.checked_sub(amount(after)?)?,
        };
        (start < end && end <= size).then_some((start as i64, end as i64))
    };
    let ranges = match (border.as_slice(), scale.as_deref()) {
        (&[left, top, right, bottom], None) => [range(top, bottom, height, None), range(left, right, width, None)],
        (&[left, top, right, bottom], Some(&[rows, columns])) => {
            [range(top, bottom, height, Some(rows)), range(left, right, width, Some(columns))]
        }
        _ => [None; 2],
    };
    let [Some((top, bottom)), Some((left, right))] = ranges else {
        return Err(Refusal::new(format!(
            "`border` is {border:?} and `scale` {scale:?}; expected a part of {height}×{width} elements"
        )));
    };
    let slice = Slice { axes: vec![2, 3], starts: vec![top, left], ends: vec![bottom, right], steps: vec![1, 1] };
    let shape = slice.output_shape(builder.shape(x))?;
    Ok(vec![builder.push(Operator::Slice(slice), vec![x], shape)?])
}

/// Split: one slice an output. Sizes are an attribute before opset 13, then an input, or the axis is cut evenly.
pub(crate) fn split(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    let x = node.input(0)?;
    let input = builder.shape(x).to_vec();
    let at = axis(node.integer("axis")?.unwrap_or(0), input.len())?;
    let declared = node.integer("num_outputs")?;
    let parts = node.output_count();
    if declared.is_some_and(|declared| declared != parts as i64) {
        return Err(Refusal::new(format!("`num_outputs` is {declared:?} and it has {parts} outputs")));
    }
    let sizes = match (node.integers("split")?, node.optional(1)) {
        (Some(sizes), _) => sizes,
        (None, Some(id)) => builder.integers(id, "split")?.to_vec(),
        (None, None) => {
            // Opset 18 lets the last part be smaller; before it, the parts are equal.
            let size = input[at].div_ceil(parts.max(1));
            let last = input[at].checked_sub(size * parts.saturating_sub(1)).filter(|&last| last > 0);
            let last = last.ok_or_else(|| Refusal::new(format!("{} elements in {parts} parts", input[at])))?;
            if last != size && node.opset() < 18 {
                return Err(Refusal::new(format!("{} elements cannot be cut into {parts} equal parts", input[at])));
            }
            (0..parts).map(|part| if part + 1 == parts { last as i64 } else { size as i64 }).collect()
        }
    };
    let total = sizes.iter().try_fold(0_i64, |sum, &size| if size < 0 { None } else { sum.checked_add(size) });
    if sizes.len() != parts || total != Some(input[at] as i64) {
        let size = input[at];
        return Err(Refusal::new(format!("the parts {sizes:?} are not the {parts} outputs of an axis of {size}")));
    }
    let mut outputs = Vec::with_capacity(parts);
    let mut start = 0;
    for size in sizes {
        let slice = Slice::range(at, start, start + size as usize);
        start += size as usize;
        let shape = slice.output_shape(&input)?;
        outputs.push(builder.push(Operator::Slice(slice), vec![x], shape)?);
    }
    Ok(outputs)
}

/// Gather with constant places: of a constant, a constant; of a computed tensor, a slice where the places are one, or
/// evenly spaced (then the axis stays).
pub(crate) fn gather(node: &mut OnnxNode<'_>, builder: &mut Builder) -> Imported {
    let (x, indices) = (node.input(0)?, node.input(1)?);
    let input = builder.shape(x).to_vec();
    let at = axis(node.integer("axis")?.unwrap_or(0), input.len())?;
    // The indices may be many: their elements are shared, not copied.
    let held = builder.constant(indices).cloned();
    let held = held.ok_or_else(|| Refusal::new("its `indices` is computed at run time; expected a constant"))?;
    let places = held.as_i64().ok_or_else(|| Refusal::new("its `indices` has floats; expected integers"))?;
    let index_shape = builder.shape(indices).to_vec();
    let size = input[at] as i64;
    if let Some(place) = places.iter().find(|place| !(-size..size).contains(place)) {
        return Err(Refusal::new(format!("the index {place} is outside an axis of {size}")));
    }
    let mut shape = input[..at].to_vec();
    shape.extend(&index_shape);
    shape.extend(&input[at + 1..]);
    if let Some(id) = builder.gathered(x, at, places, &shape)? {
        return Ok(vec![id]);
    }
    let Some(slice) = evenly_spaced(at, size, places) else {
        return Err(Refusal::new("its indices are not evenly spaced; only what a slice can take is supported"));
    };
    let sliced = slice.output_shape(&input)?;
    let part = if sliced == input && slice.steps == [1] {
        x
    } else {
        builder.push(Operator::Slice(slice), vec![x], sliced.clone())?
    };
    if sliced == shape {
        return Ok(vec![part]);
    }
    Ok(vec![builder.push(Operator::Reshape, vec![part], shape)?])
}

/// The slice that takes `places` of an axis of `size`, where there is one; negative places count from the back.
fn evenly_spaced(axis: usize, size: i64, places: &[i64]) -> Option<Slice> {
    let real = |place: i64| if place < 0 { place + size } else { place };
    let (first, last) = (real(*places.first()?), real(*places.last()?));
    let step = places.get(1).map_or(1, |&second| real(second) - first);
    let even = step != 0 && places.windows(2).all(|pair| real(pair[1]) - real(pair[0]) == step);
    even.then(|| Slice { axes: vec![axis], starts: vec![first], ends: vec![last + step.signum()], steps: vec![step] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_resolved_to_real_ones() {
        struct Case(usize, (i64, i64, i64), (i64, i64, i64), Option<usize>);
        let cases = [
            Case(10, (0, i64::MAX, 1), (0, 10, 1), Some(10)),
            Case(10, (-3, -1, 1), (7, 9, 1), Some(2)),
            Case(10, (0, 10, 3), (0, 10, 3), Some(4)),
            Case(10, (-1, i64::MIN, -1), (9, -1, -1), Some(10)),
            Case(10, (8, 2, -3), (8, 2, -3), Some(2)),
            Case(10, (5, 5, 1), (5, 5, 1), None),
            Case(10, (4, 2, 1), (4, 2, 1), None),
            Case(10, (2, 9, i64::MAX), (2, 9, 10), Some(1)),
        ];
        for Case(size, (start, end, step), (first, limit, stride), count) in cases {
            let slice = Slice::resolve(&[size], &[(0, start, end, step)]).expect("resolved");
            assert_eq!(
                (slice.starts[0], slice.ends[0], slice.steps[0]),
                (first, limit, stride),
                "{start}..{end}:{step}"
            );
            assert_eq!(slice.output_shape(&[size]).ok(), count.map(|count| vec![count]), "{start}..{end}:{step}");
        }
        assert!(Slice::resolve(&[3], &[(0, 0, 3, 0)]).is_err());
    }

    #[test]
    fn indices_that_a_slice_can_take_are_found() {
        assert_eq!(evenly_spaced(1, 9, &[2, 3, 4]), Some(Slice::range(1, 2, 5)));
        assert_eq!(evenly_spaced(1, 9, &[7]), Some(Slice::range(1, 7, 8)));
        assert_eq!(evenly_spaced(0, 9, &[4, 2, 0]).map(|slice| (slice.ends, slice.steps)), Some((vec![-1], vec![-2])));
        assert_eq!(evenly_spaced(0, 9, &[-2, -1]), Some(Slice::range(0, 7, 9)));
        assert_eq!(evenly_spaced(0, 9, &[-1, 0]), evenly_spaced(0, 9, &[8, 0]));
        assert_eq!(evenly_spaced(0, 9, &[1, 1]), None);
        assert_eq!(evenly_spaced(0, 9, &[0, 1, 3]), None);
        assert_eq!(evenly_spaced(0, 9, &[]), None);
    }
}
