//! The ground floor: digests, files, names, suggestions, shares. Knows nothing of zoos.

mod cancel;
mod digest;
mod fault;
pub mod fs;
mod names;
pub mod npy;
mod paths;
mod random;
mod share;
mod suggest;
mod watch;

pub use cancel::{CancelToken, Cancelled};
pub use digest::{Digest, DigestError};
pub use fault::stage_fails;
pub use names::{NAME_LIMIT, NameError, check_name};
pub use paths::{relative, shown, tidy};
pub use random::SplitMix;
pub use share::Share;
pub use suggest::{did_you_mean, near_miss, nearest};
pub use watch::{Fingerprint, Looked, is_settled, looked_again, looked_at_variable, moment, watched};
