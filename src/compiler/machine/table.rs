//! Tables of 256 entries, looked up many at once.

#[cfg(target_arch = "x86_64")]
use crate::compiler::machine::avx512;

/// For each element the table's entry; −128 is the first. Elements and results are paired as far as both go.
pub fn look_up(table: &[i8; 256], input: &[i8], output: &mut [i8]) {
    #[cfg(target_arch = "x86_64")]
    if has_byte_permutations() {
        #[expect(unsafe_code, reason = "the machine was asked whether it has these instructions")]
        // SAFETY: every instruction set of the function was detected.
        unsafe {
            avx512::look_up(table, input, output);
        }
        return;
    }
    one_by_one(table, input, output);
}

pub(super) fn one_by_one(table: &[i8; 256], input: &[i8], output: &mut [i8]) {
    for (to, &from) in output.iter_mut().zip(input) {
        *to = table[usize::from((from as u8) ^ 0x80)];
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn has_byte_permutations() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vbmi")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_finds_its_entry() {
        let table: [i8; 256] = std::array::from_fn(|place| (place * 77 + 5) as u8 as i8);
        for count in [0, 1, 63, 64, 65, 300] {
            let input: Vec<i8> = (0..count).map(|at| (at * 7) as u8 as i8).collect();
            let (mut found, mut expected) = (vec![0; count], vec![0; count]);
            look_up(&table, &input, &mut found);
            one_by_one(&table, &input, &mut expected);
            assert_eq!(found, expected);
            let entry = |q: i8| table[usize::try_from(i16::from(q) + 128).expect("a place")];
            assert!(input.iter().zip(&expected).all(|(&q, &found)| found == entry(q)));
        }
    }
}
