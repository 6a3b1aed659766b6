//! The order in which the axes of a tensor lie in memory, outermost first.

use crate::compiler::graph::element_count;

/// Axes of a tensor as they lie in memory, outermost first.
pub(super) type Order = Vec<usize>;

/// What kernels read and write: `[N,C,H,W]` with its channels innermost, everything else as it is written.
pub(super) fn natural(rank: usize) -> Order {
    if rank == 4 { vec![0, 2, 3, 1] } else { row_major(rank) }
}

/// As it is written.
pub(super) fn row_major(rank: usize) -> Order {
    (0..rank).collect()
}

/// Axes of more than one element, as they lie in memory: two orders with the same ones lay the same bytes out.
pub(super) fn significant(shape: &[usize], order: &[usize]) -> Order {
    order.iter().copied().filter(|&axis| shape[axis] != 1).collect()
}

/// The distance between neighbours along each axis.
pub(super) fn steps(shape: &[usize], order: &[usize]) -> Vec<usize> {
    let mut steps = vec![0; shape.len()];
    let mut step = 1;
    for &axis in order.iter().rev() {
        steps[axis] = step;
        step *= shape[axis];
    }
    steps
}

/// The order of a transposed tensor whose bytes stay where they are.
pub(super) fn transposed(order: &[usize], permutation: &[usize]) -> Order {
    let place = |&axis: &usize| permutation.iter().position(|&from| from == axis).unwrap_or(axis);
    order.iter().map(place).collect()
}

/// The order of a reshaped tensor whose bytes stay where they are; none where they would have to move.
pub(super) fn reshaped(shape: &[usize], order: &[usize], to: &[usize]) -> Option<Order> {
    if element_count(shape) == Some(1) || shape.is_empty() || to.is_empty() {
        return Some(row_major(to.len()));
    }
    let axes = |shape: &[usize]| (0..shape.len()).filter(|&axis| shape[axis] != 1).collect::<Vec<_>>();
    let (mut from_axes, mut to_axes) = (axes(shape).into_iter().peekable(), axes(to).into_iter().peekable());
    // Axes that become axes, the fewest that hold as many elements.
    let mut groups: Vec<(Vec<usize>, Vec<usize>)> = Vec::new();
    while let (Some(left), Some(right)) = (from_axes.next(), to_axes.next()) {
        let mut group = (vec![left], vec![right]);
        let (mut left_size, mut right_size) = (shape[left], to[right]);
        while left_size != right_size {
            if left_size < right_size {
                let axis = from_axes.next()?;
                left_size *= shape[axis];
                group.0.push(axis);
            } else {
                let axis = to_axes.next()?;
                right_size *= to[axis];
                group.1.push(axis);
            }
        }
        groups.push(group);
    }
    let mut result: Order = (0..to.len()).filter(|&axis| to[axis] == 1).collect();
    let lying = significant(shape, order);
    let mut rest = lying.as_slice();
    while let Some(first) = rest.first() {
        let (from, into) = groups.iter().find(|(from, _)| from.first() == Some(first))?;
        rest = rest.strip_prefix(from.as_slice())?;
        result.extend(into);
    }
    Some(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_in_place_is_seen() {
        // Channels in two groups, swapped as ShuffleNet does: the first reshape and the transpose move nothing.
        let order = natural(4);
        let split = reshaped(&[1, 6, 4, 5], &order, &[1, 2, 3, 4, 5]);
        assert_eq!(split, Some(vec![0, 3, 4, 1, 2]));
        let swapped = transposed(&[0, 3, 4, 1, 2], &[0, 2, 1, 3, 4]);
        assert_eq!(swapped, [0, 3, 4, 2, 1]);
        assert_eq!(reshaped(&[1, 3, 2, 4, 5], &swapped, &[1, 6, 4, 5]), None);
        // A head of a detector: channels last, then rows and columns in one axis.
        let last = transposed(&order, &[0, 2, 3, 1]);
        assert_eq!(last, [0, 1, 2, 3]);
        assert_eq!(reshaped(&[1, 4, 5, 6], &last, &[1, 20, 6]), Some(vec![0, 1, 2]));
        assert_eq!(reshaped(&[1, 6, 4, 5], &order, &[1, 120]), None);
        assert_eq!(reshaped(&[1, 6, 1, 1], &order, &[1, 6]), Some(vec![0, 1]));
        assert_eq!(steps(&[1, 6, 4, 5], &order), [120, 1, 30, 6]);
    }
}
