//! Which vector instructions this machine has.

/// Instructions that kernels are written for. A value exists only for what the machine has, so that whoever holds one may
/// run the kernel of that level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level(Kind);

/// From the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// What every machine of the target has.
    Portable,
    /// 32-byte registers.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// 64-byte registers and products of four bytes in one instruction.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Kind {
    /// Whether its products are of four bytes each; else they are of two 16-bit numbers each.
    pub(super) const fn multiplies_bytes(self) -> bool {
        match self {
            Self::Portable => false,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => false,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => true,
        }
    }
}

impl Level {
    /// The best that this machine has.
    #[must_use]
    #[inline]
    pub fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if has_avx512() {
                return Self(Kind::Avx512);
            }
            if has_avx2() {
                return Self(Kind::Avx2);
            }
        }
        Self(Kind::Portable)
    }

    /// Everything that this machine has, the portable level first: what tests compare.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut levels = vec![Self(Kind::Portable)];
        #[cfg(target_arch = "x86_64")]
        {
            if has_avx2() {
                levels.push(Self(Kind::Avx2));
            }
            if has_avx512() {
                levels.push(Self(Kind::Avx512));
            }
        }
        levels
    }

    pub(super) const fn kind(self) -> Kind {
        self.0
    }
}

/// Whether the machine has everything that the functions of `avx2.rs` are compiled for.
#[cfg(target_arch = "x86_64")]
#[inline]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

/// Whether the machine has everything that the functions of `avx512.rs` are compiled for.
#[cfg(target_arch = "x86_64")]
#[inline]
fn has_avx512() -> bool {
    has_avx2()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vnni")
}

/// Plain code that is worth wide registers. `run` must be `#[inline(always)]`: only what is inlined is compiled for them.
pub trait Work {
    /// What comes of it.
    type Output;

    /// Does it.
    fn run(self) -> Self::Output;
}

/// A loop that is short enough to be inlined without being told.
struct Short<F>(F);

impl<R, F: FnOnce() -> R> Work for Short<F> {
    type Output = R;

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for the registers of the function that it is inlined into")]
    fn run(self) -> R {
        (self.0)()
    }
}

/// [`vectorized_work`] for a short loop. A longer one may not be inlined, and is then none the faster.
#[inline]
pub fn vectorized<R>(work: impl FnOnce() -> R) -> R {
    vectorized_work(Short(work))
}

/// Runs plain code that is compiled for the machine's widest registers: loops become wider vector instructions, results
/// stay the same to the bit, since the compiler may neither reorder nor fuse operations on floats. What `work` calls
/// is compiled that way where it is inlined.
#[inline]
pub fn vectorized_work<W: Work>(work: W) -> W::Output {
    match Level::best().kind() {
        Kind::Portable => work.run(),
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "the level says that the machine has these instructions")]
        // SAFETY: `Level::best` names a level only where every instruction set of it was detected.
        Kind::Avx2 => unsafe { super::avx2::vectorized(work) },
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "the level says that the machine has these instructions")]
        // SAFETY: as above.
        Kind::Avx512 => unsafe { super::avx512::vectorized(work) },
    }
}
