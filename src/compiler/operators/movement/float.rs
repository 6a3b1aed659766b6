//! Shape rules and export of operators that move elements.

use crate::compiler::graph::element_count;
use crate::compiler::onnx::ExportedNode;
use crate::compiler::onnx::Writer;
use crate::compiler::onnx::proto::AttributeProto;

/// An ONNX axis (negative counts from the back) of a tensor of `rank`.
pub(crate) fn axis(axis: i64, rank: usize) -> Result<usize, String> {
    let from_front = if axis < 0 { axis.checked_add(rank as i64) } else { Some(axis) };
    from_front
        .and_then(|axis| usize::try_from(axis).ok())
        .filter(|&axis| axis < rank)
        .ok_or_else(|| format!("the axis {axis} is outside a tensor of {rank} axes"))
}

/// ONNX axes, in their order; an axis named twice is refused.
pub(crate) fn axes(values: &[i64], rank: usize) -> Result<Vec<usize>, String> {
    let mut found = Vec::new();
    if values.len() > rank {
        return Err(format!("{} axes are named of a tensor of {rank}", values.len()));
    }
    for &value in values {
        let place = axis(value, rank)?;
        if found.contains(&place) {
            return Err(format!("the axes {values:?} name the axis {place} twice"));
        }
        found.push(place);
    }
    Ok(found)
}

/// A reshape keeps the number of elements.
pub fn check_reshape(input: &[usize], output: &[usize]) -> Result<(), String> {
    if element_count(input).is_some() && element_count(input) == element_count(output) {
        Ok(())
    } else {
        Err(format!("the elements of {input:?} do not fit {output:?}"))
    }
}

/// The shape with axes reordered; `permutation` must name each axis once.
pub fn transposed_shape(input: &[usize], permutation: &[usize]) -> Result<Vec<usize>, String> {
    let mut seen = vec![false; input.len()];
    for &axis in permutation {
        match seen.get_mut(axis) {
            Some(seen) if !*seen => *seen = true,
            _ => return Err(format!("{permutation:?} is not a permutation of {} axes", input.len())),
        }
    }
    if permutation.len() != input.len() {
        return Err(format!("{permutation:?} is not a permutation of {} axes", input.len()));
    }
    Ok(permutation.iter().map(|&axis| input[axis]).collect())
}

/// The shape with padding added.
pub fn padded_shape(input: &[usize], before: &[usize], after: &[usize]) -> Result<Vec<usize>, String> {
    if before.len() != input.len() || after.len() != input.len() {
        return Err(format!("padding {before:?} and {after:?} does not fit the {} axes of {input:?}", input.len()));
    }
    let padded = input.iter().zip(before).zip(after);
    padded
        .map(|((&size, &before), &after)| size.checked_add(before).and_then(|sum| sum.checked_add(after)))
        .collect::<Option<_>>()
        .ok_or_else(|| format!("padding {before:?} and {after:?} of {input:?} is out of range"))
}

/// The shape of tensors joined along an axis; all other dimensions must agree.
pub fn joined_shape(inputs: &[&[usize]], axis: usize) -> Result<Vec<usize>, String> {
    let mut shape = inputs.first().map(|first| first.to_vec()).ok_or("it joins nothing")?;
    if axis >= shape.len() {
        return Err(format!("the axis {axis} is outside a tensor of {} axes", shape.len()));
    }
    for next in &inputs[1..] {
        let fits = next.len() == shape.len() && (0..shape.len()).all(|at| at == axis || next[at] == shape[at]);
        if !fits {
            return Err(format!("{next:?} cannot be joined to {shape:?} along the axis {axis}"));
        }
        shape[axis] = shape[axis].checked_add(next[axis]).ok_or("the joined axis is out of range")?;
    }
    Ok(shape)
}

pub(crate) fn export_reshape(node: &ExportedNode<'_>, writer: &mut Writer) {
    let shape: Vec<i64> = node.output_shape.iter().map(|&dimension| dimension as i64).collect();
    let shape = writer.integers(node, "shape", &shape);
    writer.node("Reshape", node, &[&shape], vec![]);
}

pub(crate) fn export_transpose(permutation: &[usize], node: &ExportedNode<'_>, writer: &mut Writer) {
    let permutation = permutation.iter().map(|&axis| axis as i64);
    writer.node("Transpose", node, &[], vec![AttributeProto::integers("perm", permutation)]);
}

pub(crate) fn export_pad(before: &[usize], after: &[usize], value: f32, node: &ExportedNode<'_>, writer: &mut Writer) {
    let pads: Vec<i64> = before.iter().chain(after).map(|&pad| pad as i64).collect();
    let pads = writer.integers(node, "pads", &pads);
    let value = writer.float(node, "value", value);
    writer.node("Pad", node, &[&pads, &value], vec![AttributeProto::text("mode", "constant")]);
}

pub(crate) fn export_concat(axis: usize, node: &ExportedNode<'_>, writer: &mut Writer) {
    writer.node("Concat", node, &[], vec![AttributeProto::int("axis", axis as i64)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_count_from_both_ends() {
        assert_eq!(axes(&[-1, 0], 3), Ok(vec![2, 0]));
        for wrong in [&[3_i64][..], &[-4], &[1, -2], &[i64::MIN], &[i64::MAX]] {
            assert!(axes(wrong, 3).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        assert!(check_reshape(&[2, 3], &[6]).is_ok());
        assert!(check_reshape(&[2, 3], &[5]).is_err());
        assert!(check_reshape(&[usize::MAX, 2], &[usize::MAX, 2]).is_err());
        assert_eq!(transposed_shape(&[1, 2, 3], &[2, 0, 1]), Ok(vec![3, 1, 2]));
        assert!(transposed_shape(&[1, 2, 3], &[2, 0, 0]).is_err());
        assert!(transposed_shape(&[1, 2, 3], &[1, 0]).is_err());
        assert!(transposed_shape(&[1, 2], &[0, 2]).is_err());
        assert!(padded_shape(&[1, usize::MAX], &[0, 1], &[0, 0]).is_err());
        assert_eq!(joined_shape(&[&[1, 2, 3], &[1, 5, 3]], 1), Ok(vec![1, 7, 3]));
        assert!(joined_shape(&[&[1, 2, 3], &[1, 5, 4]], 1).is_err());
        assert!(joined_shape(&[&[1, 2], &[1, 2]], 2).is_err());
    }
}
