//! Rewriting the imported graph into the form that the quantizer expects: normalization folded into convolutions,
//! constants into weights, nodes that do nothing gone. Each rewrite keeps what the network computes (up to float
//! rounding) and every name that is an input or output.

mod driver;
mod merge;
mod movement;
mod nothing;
mod padding;
mod rewrite;
#[cfg(test)]
mod tests;

pub use driver::CleanReport;
pub use driver::clean;
