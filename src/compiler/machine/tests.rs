use proptest::prelude::*;

use super::*;
use crate::compiler::quantize::contract::Saturation;

/// The definition, element by element.
fn expected(left: &[i8], right: &[i8], length: usize, zero_point: i8, rows: &[Row]) -> Vec<Vec<i8>> {
    let columns = right.len() / length.max(1);
    let one = |(index, row): (usize, &Row)| {
        let products = |column: usize| {
            (0..length).map(move |k| {
                i32::from(left[index * length + k]) * (i32::from(right[k * columns + column]) - i32::from(zero_point))
            })
        };
        let sum = |column: usize| products(column).fold(row.bias, i32::wrapping_add);
        (0..columns).map(|column| row.saturation.requantize(sum(column), row.multiplier)).collect()
    };
    rows.iter().enumerate().map(one).collect()
}

fn numbers(seed: u64, count: usize) -> Vec<i8> {
    let mut state = seed | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as i8
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn results_at_first(rows: &FloatRows, source: &[f32], offsets: &[usize]) -> Vec<[f32; COLUMNS]> {
    let mut results = FloatResults::default();
    rows.apply(source, offsets, &[0], &mut results).to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_level_multiplies_as_the_definition_does(
        (length, count, seed) in (1_usize..70, 1_usize..21, any::<u64>()),
        (zero_point, out_zero, low, high) in (any::<i8>(), any::<i8>(), any::<i8>(), any::<i8>()),
        (bias, multiplier) in (any::<i32>(), prop_oneof![Just(0.0_f32), Just(f32::INFINITY), 1e-9_f32..1e-2, Just(0.5)]),
        extra in any::<bool>(),
    ) {
        let columns = 45;
        let left: Vec<i8> = numbers(seed, count * length).into_iter().map(|x| x.max(-127)).collect();
        let right = numbers(seed.rotate_left(17), columns * length);
        let saturation = Saturation::between(out_zero, [low.min(high), low.max(high)]);
        let row = |index: i32| Row { bias: bias.wrapping_add(index), multiplier, saturation };
        let rows: Vec<Row> = (0..count as i32).map(row).collect();
        let mut wanted = expected(&left, &right, length, zero_point, &rows);
        let own: [i32; COLUMNS] = std::array::from_fn(|column| column as i32 * 1000 - 7);
        if extra {
            let shifted: Vec<Vec<Vec<i8>>> = own.iter().map(|own| {
                let rows: Vec<Row> = rows.iter().map(|row| Row { bias: row.bias.wrapping_add(*own), ..*row }).collect();
                expected(&left, &right, length, zero_point, &rows)
            }).collect();
            for (row, wanted) in wanted.iter_mut().enumerate() {
                for column in 0..COLUMNS {
                    wanted[column] = shifted[column][row][column];
                }
            }
        }
        let offsets: Vec<usize> = (0..length.next_multiple_of(4)).map(|k| k.min(length - 1) * columns).collect();
        for level in Level::all() {
            let packed = Left::new(level, &left, length, zero_point, &rows);
            let (mut panel, mut found) = (Panel::default(), Vec::new());
            for base in [0, 13, 32] {
                if base > 0 && extra {
                    continue;
                }
                panel.pack(level, &right, offsets.as_chunks().0, base);
                if extra {
                    panel.add(&own);
                }
                packed.multiply(&panel, &mut found);
                for (found, wanted) in found.iter().zip(&wanted) {
                    let count = COLUMNS.min(columns - base);
                    prop_assert_eq!(&found[..count], &wanted[base..base + count], "{:?} from column {}", level, base);
                }
            }
        }
    }

    #[test]
    fn every_level_filters_as_the_definition_does(
        (places, seed) in (1_usize..30, any::<u64>()),
        (zero_point, bias, multiplier) in (any::<i8>(), -9999..9999, 1e-4_f32..1e-1),
    ) {
        let weights: Vec<i8> = numbers(seed, places).into_iter().map(|x| x.max(-127)).collect();
        let source = numbers(!seed, 150);
        let offsets: Vec<usize> = (0..places.next_multiple_of(4)).map(|place| place * 5 % 43).collect();
        let row = Row { bias, multiplier, saturation: Saturation::full(-3) };
        let bases = [0, 1, 50, 100];
        for level in Level::all() {
            let mut found = Vec::new();
            Filter::new(level, &weights, zero_point, row).apply(&source, offsets.as_chunks().0, &bases, &mut found);
            for (base, found) in bases.iter().zip(found) {
                for (column, found) in found.into_iter().enumerate() {
                    let place = |(weight, offset): (&i8, &usize)| {
                        let element = source.get(base + column + offset).copied()?;
                        Some(i32::from(*weight) * (i32::from(element) - i32::from(zero_point)))
                    };
                    // What reads behind the end may be anything.
                    let Some(sum) = weights.iter().zip(&offsets).map(place).sum::<Option<i32>>() else { continue };
                    prop_assert_eq!(found, row.saturation.requantize(sum + bias, multiplier), "{:?}", level);
                }
            }
        }
    }

    #[test]
    fn sums_of_float_products_are_the_definition(
        (length, count, seed) in (1_usize..50, prop_oneof![Just(1_usize), 1_usize..20], any::<u64>()),
    ) {
        let real = |numbers: Vec<i8>| -> Vec<f32> { numbers.into_iter().map(|x| f32::from(x) / 16.0).collect() };
        let weights = real(numbers(seed, length * count));
        let (bias, source) = (real(numbers(seed ^ 5, count)), real(numbers(!seed, 150)));
        let offsets: Vec<usize> = (0..length).map(|place| place * 7 % 43).collect();
        let bases = [0, 3, 75];
        for level in Level::all() {
            let (rows, mut results) = (FloatRows::new(level, &weights, length, &bias), FloatResults::default());
            let found = rows.apply(&source, &offsets, &bases, &mut results);
            for (index, found) in found.iter().enumerate() {
                let (base, row) = (bases[index / count], index % count);
                for (column, &found) in found.iter().enumerate() {
                    let product = |k: usize| Some(weights[row * length + k] * source.get(base + column + offsets[k])?);
                    let Some(sum) = (0..length).map(product).sum::<Option<f32>>() else { continue };
                    // Sums of such small numbers are exact in any order.
                    prop_assert!((found - (sum + bias[row])).abs() < f32::MIN_POSITIVE, "{:?}", level);
                }
            }
            let lines: Vec<[f32; COLUMNS]> =
                offsets.iter().map(|&offset| std::array::from_fn(|column| source[offset + column])).collect();
            let mut multiplied = vec![[0.0; COLUMNS]; count];
            rows.multiply(&lines, &mut multiplied);
            prop_assert_eq!(&multiplied[..], &results_at_first(&rows, &source, &offsets)[..], "{:?}", level);
        }
    }

    #[test]
    fn columns_that_lie_one_after_another_are_packed_alike(length in 1_usize..40, count in 1_usize..33, seed in any::<u64>()) {
        let columns = numbers(seed, length * count);
        let rows: Vec<i8> =
            (0..length * COLUMNS).map(|at| columns.get(at % COLUMNS * length + at / COLUMNS).copied().unwrap_or(i8::MIN)).collect();
        let offsets: Vec<usize> = (0..length.next_multiple_of(4)).map(|k| k * COLUMNS).collect();
        let (mut one, mut other) = (Panel::default(), Panel::default());
        one.pack_columns(&columns, length);
        other.pack(Level::best(), &rows, offsets.as_chunks().0, 0);
        prop_assert_eq!(one.bytes.len(), other.bytes.len());
        for quad in 0..length / 4 {
            prop_assert_eq!(one.bytes[quad], other.bytes[quad]);
        }
    }
}

#[test]
fn exponentials_are_those_of_wider_numbers() {
    for at in -870_000..880_000 {
        let x = at as f32 * 1e-4;
        let (found, exact) = (f64::from(exponential(x)), libm::exp(f64::from(x)));
        assert!((found - exact).abs() <= 2.0 * f64::from(f32::EPSILON) * exact, "{x}: {found}, expected {exact}");
    }
    assert!(exponential(f32::NAN).is_nan());
    assert!(exponential(f32::INFINITY).is_finite() && exponential(f32::NEG_INFINITY) < 1e-37);
}
