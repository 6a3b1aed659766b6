//! Values of operators whose inputs are all constants: how exporters compute shapes, and weights that are stored in
//! another form than they are used in.

use crate::compiler::graph::Data;
use crate::compiler::graph::Tensor;
use crate::compiler::graph::broadcast_strides;
use crate::compiler::graph::element_count;
use crate::compiler::graph::strides;
use crate::compiler::operators::Operator;
use crate::compiler::operators::Slice;

/// Strides that can also lead backwards.
fn signed(strides: &[usize]) -> Vec<isize> {
    strides.iter().map(|&stride| isize::try_from(stride).unwrap_or(isize::MAX)).collect()
}

/// A tensor repeated to the shape `target`, to which it broadcasts.
pub(super) fn repeated(tensor: &Tensor, target: &[usize]) -> Option<Tensor> {
    strided(tensor, target, 0, &signed(&broadcast_strides(tensor.shape(), target)))
}

/// Entries `places` along `axis`, under `shape`; negative places count from the back. `None` where a place is outside.
pub(super) fn gathered(tensor: &Tensor, axis: usize, places: &[i64], shape: &[usize]) -> Option<Tensor> {
    let own = tensor.shape();
    let size = *own.get(axis)?;
    let inner = element_count(own.get(axis + 1..)?)?;
    match tensor.data() {
        Data::F32(data) => Tensor::from_f32(shape.to_vec(), rows(data, size, inner, places)?),
        Data::I64(data) => Tensor::from_i64(shape.to_vec(), rows(data, size, inner, places)?),
    }
}

/// Of every block of `size` rows of `inner` elements the rows `places`, one after another.
fn rows<T: Copy>(data: &[T], size: usize, inner: usize, places: &[i64]) -> Option<Vec<T>> {
    let block = size.checked_mul(inner)?;
    if block == 0 {
        return Some(Vec::new());
    }
    let blocks = data.chunks_exact(block);
    let mut values = Vec::with_capacity(blocks.len().checked_mul(places.len())?.checked_mul(inner)?);
    for rows in blocks {
        for &place in places {
            let place = if place < 0 { place.checked_add(size as i64)? } else { place };
            let start = usize::try_from(place).ok().filter(|&place| place < size)? * inner;
            values.extend_from_slice(rows.get(start..start + inner)?);
        }
    }
    Some(values)
}

/// The elements of a tensor read with `strides` from `start` on, in the order of `shape`. Places outside `data` (there
/// are none when the caller computed strides from its shape) are left out.
fn read_strided<T: Copy>(data: &[T], shape: &[usize], start: isize, strides: &[isize]) -> Vec<T> {
    let total = element_count(shape).unwrap_or(0);
    let mut values = Vec::with_capacity(total);
    let mut place = vec![0_usize; shape.len()];
    let mut offset = start;
    for _ in 0..total {
        values.extend(usize::try_from(offset).ok().and_then(|at| data.get(at)).copied());
        for axis in (0..shape.len()).rev() {
            place[axis] += 1;
            offset += strides[axis];
            if place[axis] < shape[axis] {
                break;
            }
            offset -= strides[axis] * shape[axis] as isize;
            place[axis] = 0;
        }
    }
    values
}

/// [`read_strided`] for either element type.
fn strided(tensor: &Tensor, shape: &[usize], start: isize, strides: &[isize]) -> Option<Tensor> {
    match tensor.data() {
        Data::F32(data) => Tensor::from_f32(shape.to_vec(), read_strided(data, shape, start, strides)),
        Data::I64(data) => Tensor::from_i64(shape.to_vec(), read_strided(data, shape, start, strides)),
    }
}

/// Whether [`evaluate`] computes an operator.
pub(super) const fn is_folded(operator: &Operator) -> bool {
    matches!(
        operator,
        Operator::Reshape
            | Operator::Transpose { .. }
            | Operator::Slice(_)
            | Operator::Concat { .. }
            | Operator::Arithmetic(_)
    )
}

/// What `operator` makes of constants; `None` where it is not computed here (it stays a node), or is undefined.
pub(super) fn evaluate(operator: &Operator, inputs: &[&Tensor], shape: &[usize]) -> Option<Tensor> {
    let first = *inputs.first()?;
    match operator {
        Operator::Reshape => first.reshaped(shape.to_vec()),
        Operator::Transpose { permutation } => {
            let own = signed(&strides(first.shape()));
            let strides: Option<Vec<isize>> = permutation.iter().map(|&axis| own.get(axis).copied()).collect();
            strided(first, shape, 0, &strides?)
        }
        Operator::Slice(slice) => part(first, slice, shape),
        Operator::Concat { axis } => joined(inputs, *axis, shape),
        Operator::Arithmetic(operation) => {
            let second = *inputs.get(1)?;
            let (a, b) = (repeated(first, shape)?, repeated(second, shape)?);
            match (a.data(), b.data()) {
                (Data::F32(a), Data::F32(b)) => {
                    let values: Vec<f32> = a.iter().zip(b.iter()).map(|(&a, &b)| operation.apply(a, b)).collect();
                    Tensor::from_f32(shape.to_vec(), values)
                }
                (Data::I64(a), Data::I64(b)) => {
                    let values: Option<Vec<i64>> =
                        a.iter().zip(b.iter()).map(|(&a, &b)| operation.apply_integer(a, b)).collect();
                    Tensor::from_i64(shape.to_vec(), values?)
                }
                _ => None,
            }
        }
        Operator::Function(function) => {
            let values: Vec<f32> = first.as_f32()?.iter().map(|&value| function.apply(value)).collect();
            Tensor::from_f32(shape.to_vec(), values)
        }
        _ => None,
    }
}

fn part(tensor: &Tensor, slice: &Slice, shape: &[usize]) -> Option<Tensor> {
    let mut strides = signed(&strides(tensor.shape()));
    let mut start = 0_isize;
    let entries = slice.axes.iter().zip(&slice.starts).zip(&slice.steps);
    for ((&axis, &first), &step) in entries {
        let stride = strides.get_mut(axis)?;
        start = start.checked_add(stride.checked_mul(isize::try_from(first).ok()?)?)?;
        *stride = stride.checked_mul(isize::try_from(step).ok()?)?;
    }
    strided(tensor, shape, start, &strides)
}

/// The parts row by row, each row taking its share of every part.
fn collect<T: Copy>(parts: &[&[T]], outer: usize) -> Vec<T> {
    let mut values = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
    for row in 0..outer {
        for part in parts {
            let length = part.len() / outer;
            values.extend_from_slice(&part[row * length..(row + 1) * length]);
        }
    }
    values
}

fn joined(inputs: &[&Tensor], axis: usize, shape: &[usize]) -> Option<Tensor> {
    let outer = element_count(shape.get(..axis)?)?;
    if inputs.iter().all(|tensor| tensor.as_f32().is_some()) {
        let parts: Vec<&[f32]> = inputs.iter().filter_map(|tensor| tensor.as_f32()).collect();
        Tensor::from_f32(shape.to_vec(), collect(&parts, outer))
    } else {
        let parts: Option<Vec<&[i64]>> = inputs.iter().map(|tensor| tensor.as_i64()).collect();
        Tensor::from_i64(shape.to_vec(), collect(&parts?, outer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compiler::operators::Arithmetic;

    fn counting(shape: &[usize]) -> Tensor {
        let count = shape.iter().product::<usize>() as i64;
        Tensor::from_i64(shape.to_vec(), (0..count).collect::<Vec<_>>()).expect("as many values as elements")
    }

    struct Case<'a>(Operator, Vec<&'a Tensor>, &'a [usize], &'a [i64]);

    #[test]
    fn constants_are_moved_as_onnx_says() {
        let x = counting(&[2, 3]);
        let transpose = Operator::Transpose { permutation: vec![1, 0] };
        let backwards = Operator::Slice(Slice { axes: vec![1], starts: vec![2], ends: vec![-1], steps: vec![-2] });
        let cases = [
            Case(transpose, vec![&x], &[3, 2], &[0, 3, 1, 4, 2, 5]),
            Case(backwards, vec![&x], &[2, 2], &[2, 0, 5, 3]),
            Case(Operator::Concat { axis: 1 }, vec![&x, &x], &[2, 6], &[0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5]),
            Case(Operator::Reshape, vec![&x], &[6], &[0, 1, 2, 3, 4, 5]),
        ];
        for Case(operator, inputs, shape, expected) in cases {
            let found = evaluate(&operator, &inputs, shape).expect("computed");
            assert_eq!(found.as_i64(), Some(expected), "{operator}");
        }
    }

    #[test]
    fn integers_that_overflow_are_not_computed() {
        let huge = Tensor::from_i64(vec![1], vec![i64::MAX]).expect("one value");
        let operator = Operator::Arithmetic(Arithmetic::Add);
        assert_eq!(evaluate(&operator, &[&huge, &huge], &[1]), None);
    }

    #[test]
    fn one_value_is_read_for_a_whole_shape() {
        let row = counting(&[1, 3]);
        let read = repeated(&row, &[2, 2, 3]).expect("read");
        assert_eq!(read.as_i64(), Some(&[0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2][..]));
    }
}
