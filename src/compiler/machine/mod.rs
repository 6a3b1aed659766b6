//! What the machine's vector instructions are used for: exact integer matrix products, which are the same to the bit on
//! every level; sums of float products; and plain loops compiled for wider registers. Which level runs is decided when the
//! program does ([`Level`]).

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod float;
mod level;
mod panel;
mod portable;
mod product;
mod table;
#[cfg(test)]
mod tests;

pub use float::{FloatResults, FloatRows, exponential};
pub use level::{Level, Work, vectorized, vectorized_work};
pub use panel::{COLUMNS, Panel};
pub use product::{Filter, Left, Row};
pub use table::look_up;
