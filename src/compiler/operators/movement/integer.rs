//! Operators that only copy elements, int8 or float: Transpose, Slice, Pad, Concat. (Reshape copies all of them in order.)

use crate::compiler::graph::strides;
use crate::compiler::operators::Slice;
use crate::compiler::operators::function::integer::look_up;

/// The same elements over as few axes as possible, so that inner loops are long: axes that lie one after another for every
/// operand become one, those of one element none. `steps` are the distances between neighbours along each axis.
pub(crate) fn collapsed<const N: usize>(shape: &[usize], steps: [&[isize]; N]) -> (Vec<usize>, [Vec<isize>; N]) {
    let (mut sizes, mut kept): (Vec<usize>, [Vec<isize>; N]) = (Vec::new(), std::array::from_fn(|_| Vec::new()));
    for (axis, &size) in shape.iter().enumerate().filter(|&(_, &size)| size != 1) {
        let goes_on = |(kept, steps): (&Vec<isize>, &&[isize])| kept.last() == Some(&(steps[axis] * size as isize));
        if kept.iter().zip(&steps).all(goes_on)
            && let Some(last) = sizes.last_mut()
        {
            *last *= size;
            kept.iter_mut().zip(steps).for_each(|(kept, steps)| {
                kept.pop();
                kept.push(steps[axis]);
            });
        } else {
            sizes.push(size);
            kept.iter_mut().zip(steps).for_each(|(kept, steps)| kept.push(steps[axis]));
        }
    }
    (sizes, kept)
}

/// Copies into a row-major tensor of `shape` the elements that lie `steps` apart (a step may be negative) from `start` on.
fn gather<T: Copy>(input: &[T], start: isize, steps: &[isize], output: &mut [T], shape: &[usize]) {
    let (shape, [steps]) = &collapsed(shape, [steps]);
    let Some((&inner, outer)) = shape.split_last() else {
        output.copy_from_slice(&input[start as usize..][..output.len()]);
        return;
    };
    let last = steps[steps.len() - 1];
    let mut index = vec![0_usize; outer.len()];
    let mut base = start;
    for row in output.chunks_exact_mut(inner) {
        if last == 1 {
            row.copy_from_slice(&input[base as usize..][..inner]);
        } else {
            let mut at = base;
            for to in row {
                *to = input[at as usize];
                at += last;
            }
        }
        for axis in (0..outer.len()).rev() {
            index[axis] += 1;
            base += steps[axis];
            if index[axis] < outer[axis] {
                break;
            }
            base -= steps[axis] * outer[axis] as isize;
            index[axis] = 0;
        }
    }
}

/// Output axis `i` is input axis `permutation[i]`.
pub fn transpose<T: Copy>(input: &[T], shape: &[usize], permutation: &[usize], output: &mut [T]) {
    let from = strides(shape);
    let steps: Vec<isize> = permutation.iter().map(|&axis| from[axis] as isize).collect();
    let to: Vec<usize> = permutation.iter().map(|&axis| shape[axis]).collect();
    gather(input, 0, &steps, output, &to);
}

/// `start, start + step, …` along the named axes; `output` is the shape of the result.
pub fn slice<T: Copy>(input: &[T], shape: &[usize], attributes: &Slice, to: &mut [T], to_shape: &[usize]) {
    let mut steps: Vec<isize> = strides(shape).into_iter().map(|stride| stride as isize).collect();
    let mut start = 0;
    for ((&axis, &first), &step) in attributes.axes.iter().zip(&attributes.starts).zip(&attributes.steps) {
        start += first as isize * steps[axis];
        steps[axis] *= step as isize;
    }
    gather(input, start, &steps, to, to_shape);
}

/// The input inside a tensor of `value`.
pub fn pad<T: Copy>(input: &[T], shape: &[usize], before: &[usize], value: T, output: (&mut [T], &[usize])) {
    let (to, to_shape) = output;
    to.fill(value);
    let Some((&inner, outer)) = shape.split_last() else {
        to.copy_from_slice(input);
        return;
    };
    let steps = strides(to_shape);
    let origin: usize = before.iter().zip(&steps).map(|(before, step)| before * step).sum();
    let mut index = vec![0_usize; outer.len()];
    for row in input.chunks_exact(inner) {
        let at = origin + index.iter().zip(&steps).map(|(index, step)| index * step).sum::<usize>();
        to[at..at + inner].copy_from_slice(row);
        for axis in (0..outer.len()).rev() {
            index[axis] += 1;
            if index[axis] < outer[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
}

/// One input of [`concat()`].
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// Its elements.
    pub input: &'a [i8],
    /// The number of its elements at and behind the axis.
    pub size: usize,
    /// What they go through, where its encoding differs from the output's.
    pub table: Option<&'a [i8; 256]>,
}

/// Inputs one after another along an axis.
pub fn concat(parts: &[Part<'_>], output: &mut [i8]) {
    let total: usize = parts.iter().map(|part| part.size).sum();
    let mut offset = 0;
    for &Part { input, size, table } in parts {
        for (from, to) in input.chunks_exact(size).zip(output.chunks_exact_mut(total)) {
            let to = &mut to[offset..offset + size];
            match table {
                Some(table) => look_up(table, from, to),
                None => to.copy_from_slice(from),
            }
        }
        offset += size;
    }
}
