//! How an operator is divided so that what one tile needs fits a core's L1 (docs/design/memory-plan.md, "Tiling").

use std::collections::BTreeSet;

use crate::compiler::device::Access;
use crate::compiler::device::Rates;
use crate::compiler::device::Tile;
use crate::compiler::device::Transfers;
use crate::compiler::device::WORD;
use crate::compiler::device::Work;
use crate::compiler::error::StageError;
use crate::compiler::error::Status;
use crate::compiler::memory::Budget;
use crate::compiler::memory::Pool;
use crate::compiler::memory::help::Tried;
use crate::compiler::quantize::TensorId;
use crate::properties::CompilerConfig;

/// Bytes of weights that the matrix unit holds at once: what streams through L1 as one piece.
const WEIGHT_BLOCK: usize = 512 * 512;

/// Doublings of the number of tiles that mean "without bound".
const DOUBLINGS: u32 = 40;

/// What bounds and guides tiling.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct TilingOptions {
    /// Attempt n divides an operator into at most 2ⁿ⁻¹ tiles.
    pub attempts: i64,
    /// The number of tiles along the height, instead of the one that is found.
    pub height: Option<i64>,
    /// The number of tiles along the channels, instead of the one that is found.
    pub channels: Option<i64>,
    /// Tiles along the height overlap: their buffers are there twice.
    pub overlaps_rows: bool,
    /// Tiles along the channels overlap: their buffers are there twice.
    pub overlaps_channels: bool,
    /// Weights stream through L1 by the block and do not count; otherwise all weights of a tile stay in L1.
    pub ignores_weights: bool,
    /// The next block of weights is loaded while one works, in operators of several tiles.
    pub doubles_weights_pipelined: bool,
    /// The same in operators of one tile.
    pub doubles_weights_sequential: bool,
}

impl TilingOptions {
    /// As a configuration says.
    #[must_use]
    pub fn of(config: &CompilerConfig) -> Self {
        Self {
            attempts: config.max_tiling_attempts,
            height: config.force_h_tiling,
            channels: config.force_oc_tiling,
            overlaps_rows: config.pipeline_spatial_tiles,
            overlaps_channels: config.pipeline_channel_tiles,
            ignores_weights: config.ignore_weight_buffers,
            doubles_weights_pipelined: config.imc_double_buffer_pipeline,
            doubles_weights_sequential: config.imc_double_buffer_sequential,
        }
    }
}

/// A part of L1 that a tile of an operator needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TileBuffer {
    /// Of which tensor it is a part; `None` for weights and tables.
    pub tensor: Option<TensorId>,
    /// What it is for: `input`, `output`, `weights`, `tables`.
    pub role: &'static str,
    /// Bytes, of both copies where there are two.
    pub bytes: usize,
    /// One, or two that change places.
    pub copies: usize,
}

/// How one operator is divided.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Tiling {
    /// What a tile is.
    pub tile: Tile,
    /// Tiles along the height.
    pub height: usize,
    /// Tiles along the channels.
    pub channels: usize,
    /// Whether the tiles along the channels are the outer loop: weights are then loaded once and inputs again for each.
    pub channels_outside: bool,
    /// Rows that all tiles compute: more than there are where tiles of a chain overlap.
    pub computed_rows: usize,
    /// The first and the last node that it is tiled together with, depth first.
    pub chain: Option<(usize, usize)>,
    /// What it needs of L1.
    pub buffers: Vec<TileBuffer>,
    /// Whether a tile's transfers overlap the work on the one before.
    pub overlaps: bool,
    /// Whether weights are loaded while others work.
    pub doubles_weights: bool,
    /// Whether all weights of a tile are in L1 at once, so that the next tile with the same weights finds them there.
    pub weights_stay: bool,
}

impl Tiling {
    /// Bytes of L1 that it needs.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.buffers.iter().fold(0, |sum, buffer| sum.saturating_add(buffer.bytes))
    }

    /// Tiles in all.
    #[must_use]
    pub const fn tiles(&self) -> usize {
        self.height * self.channels
    }

    /// Bytes of an operand that are loaded in one run.
    #[must_use]
    pub fn loaded(&self, work: &Work, access: &Access) -> u64 {
        let bytes = |rows: usize| access.bytes(Tile { rows, words: self.tile.words }, work.rows) as u64;
        let passes = work.passes as u64;
        if access.is_whole() {
            return bytes(work.rows) * passes;
        }
        let before = self.tile.rows.saturating_mul(self.height - 1);
        let last = if before < work.rows { work.rows - before } else { self.tile.rows };
        let column = bytes(self.tile.rows) * (self.height as u64 - 1) + bytes(last);
        // A tile of the height stays while the channels' tiles go by; outside, each of these needs all of it again.
        let again = access.follows() || (self.channels_outside && self.height > 1);
        column * passes * if again { self.channels as u64 } else { 1 }
    }

    /// Cycles of the arithmetic, rows that tiles of a chain compute again included.
    #[must_use]
    pub fn computed(&self, work: &Work, rates: &Rates) -> u64 {
        let cycles = u128::from(rates.compute(work)) * self.computed_rows as u128;
        u64::try_from(cycles.div_ceil(work.rows.max(1) as u128)).unwrap_or(u64::MAX)
    }

    /// Bytes of weights that are loaded in one run.
    #[must_use]
    pub fn loaded_weights(&self, work: &Work) -> u64 {
        let once = self.weights_stay && (self.channels == 1 || self.channels_outside);
        work.weights as u64 * if once { 1 } else { self.height as u64 }
    }
}

/// Buffers of a tile, and whether its transfers overlap.
pub(super) fn divided(work: &Work, options: &TilingOptions, tile: Tile) -> Tiling {
    let height = work.rows.div_ceil(tile.rows.max(1)).max(1);
    let channels = work.words.div_ceil(tile.words.max(1)).max(1);
    let overlaps = (height > 1 && options.overlaps_rows) || (channels > 1 && options.overlaps_channels);
    let mut buffers = Vec::with_capacity(work.reads.len() + 3);
    let mut add = |tensor: Option<TensorId>, role: &'static str, bytes: usize, copies: usize| {
        if bytes > 0 {
            buffers.push(TileBuffer { tensor, role, bytes: bytes.saturating_mul(copies), copies });
        }
    };
    let mut seen: Vec<TensorId> = Vec::new();
    for access in &work.reads {
        // An operand that is read twice over has one buffer.
        if seen.contains(&access.id) {
            continue;
        }
        seen.push(access.id);
        let changes = !access.is_whole()
            && ((height > 1 && options.overlaps_rows)
                || (access.follows() && channels > 1 && options.overlaps_channels));
        let copies = if changes { 2 } else { 1 };
        add(Some(access.id), "input", access.bytes(tile, work.rows), copies);
    }
    let copies = if overlaps && !work.writes.is_whole() { 2 } else { 1 };
    add(Some(work.writes.id), "output", work.writes.bytes(tile, work.rows), copies);
    let doubles_weights = work.weights > 0
        && if height * channels > 1 { options.doubles_weights_pipelined } else { options.doubles_weights_sequential };
    let weights = if options.ignores_weights { work.weights_of(tile).min(WEIGHT_BLOCK) } else { work.weights_of(tile) };
    add(None, "weights", weights, if doubles_weights { 2 } else { 1 });
    let constants = work.tables.saturating_add(work.constants);
    add(None, "tables", constants.checked_next_multiple_of(WORD).unwrap_or(usize::MAX), 1);
    let weights_stay = weights >= work.weights_of(tile);
    let mut tiling = Tiling {
        tile,
        height,
        channels,
        channels_outside: false,
        computed_rows: work.rows,
        chain: None,
        buffers,
        overlaps,
        doubles_weights,
        weights_stay,
    };
    tiling.choose_order(work);
    tiling
}

impl Tiling {
    /// The order of the two loops that moves less.
    fn choose_order(&mut self, work: &Work) {
        if self.channels < 2 {
            return;
        }
        let moved = |tiling: &Self| {
            let inputs: u64 = work.reads.iter().map(|access| tiling.loaded(work, access)).sum();
            inputs + tiling.loaded_weights(work)
        };
        let other = Self { channels_outside: true, ..self.clone() };
        if moved(&other) < moved(self) {
            *self = other;
        }
    }

    /// The same tiles with some tensors lying in L1 as a whole, which then need no buffers.
    #[must_use]
    pub fn with_residents(&self, resident: &dyn Fn(TensorId) -> bool) -> Self {
        let buffers = self.buffers.iter().filter(|buffer| !buffer.tensor.is_some_and(resident));
        Self { buffers: buffers.copied().collect(), ..self.clone() }
    }
}

/// Estimated cycles of an operator with a tiling, its tensors in L2 where they do not lie in L1.
pub(super) fn cycles(work: &Work, tiling: &Tiling, rates: &Rates, in_l1: &dyn Fn(TensorId) -> bool) -> u64 {
    let inputs = work.reads.iter().filter(|access| !in_l1(access.id));
    let inputs: u64 = inputs.map(|access| tiling.loaded(work, access)).sum();
    let stored = if in_l1(work.writes.id) { 0 } else { work.writes.total() as u64 };
    let moved = Transfers { from_l2: inputs + tiling.loaded_weights(work), to_l2: stored, ..Transfers::default() };
    rates.node(rates.transfer(&moved), tiling.computed(work, rates), tiling.tiles() as u64, tiling.overlaps)
}

/// Numbers of tiles that are tried along an axis: each up to 8, then in steps of an eighth.
pub(super) fn counts(size: usize, forced: Option<i64>, most: u128) -> Vec<usize> {
    if let Some(forced) = forced {
        return vec![usize::try_from(forced).unwrap_or(usize::MAX).clamp(1, size.max(1))];
    }
    let most = usize::try_from(most).unwrap_or(usize::MAX).min(size.max(1));
    let mut counts = Vec::new();
    let mut count = 1_usize;
    while count < most {
        counts.push(count);
        count += (count.next_power_of_two() / 8).max(1);
    }
    counts.push(most);
    counts
}

/// Every tiling with at most so many tiles, each once.
fn tilings(work: &Work, options: &TilingOptions, most: u128) -> Vec<Tiling> {
    let mut seen: BTreeSet<(usize, usize)> = BTreeSet::new();
    let mut tiles: Vec<Tile> = Vec::new();
    for height in counts(work.rows, options.height, most) {
        let left = most / height as u128;
        for channels in counts(work.words, options.channels, left.max(1)) {
            let tile = Tile { rows: work.rows.div_ceil(height).max(1), words: work.words.div_ceil(channels).max(1) };
            if seen.insert((tile.rows, tile.words)) {
                tiles.push(tile);
            }
        }
    }
    tiles.into_iter().map(|tile| divided(work, options, tile)).collect()
}

/// How each operator is divided: of its tilings that fit the one that is estimated to be the fastest; of equal ones the one
/// with fewer tiles, then with fewer bytes. `allowed` is what L1 has for tiles. Where an operator has none that fits, an
/// error that names the first such and, given `trials`, says with which settings the model would fit; with it comes how many
/// bytes all of L1 would need.
pub(super) fn divide(
    operators: &[(&str, &Work)],
    options: &TilingOptions,
    budget: &Budget,
    allowed: usize,
    rates: &Rates,
    trials: Option<&Trials<'_>>,
) -> Result<Vec<Tiling>, (StageError, usize)> {
    let doublings = u32::try_from(options.attempts.saturating_sub(1)).unwrap_or(0).min(DOUBLINGS);
    let mut found = Vec::with_capacity(operators.len());
    let mut misfits: Vec<(&str, &Work, usize, usize)> = Vec::new();
    for &(name, work) in operators {
        let candidates = tilings(work, options, 1 << doublings);
        let fitting = candidates.iter().filter(|tiling| tiling.bytes() <= allowed);
        let best =
            fitting.min_by_key(|tiling| (cycles(work, tiling, rates, &|_| false), tiling.tiles(), tiling.bytes()));
        if let Some(best) = best {
            found.push(best.clone());
        } else {
            let needed = candidates.iter().map(Tiling::bytes).min().unwrap_or(usize::MAX);
            let tried = candidates.iter().map(Tiling::tiles).max().unwrap_or(1);
            misfits.push((name, work, needed, tried));
        }
    }
    let Some(&(name, _, needed, tried)) = misfits.first() else { return Ok(found) };
    let tiles = if tried == 1 { "one tile".to_owned() } else { format!("up to {tried} tiles") };
    let others = match misfits.len() - 1 {
        0 => String::new(),
        1 => "; one more operator does not fit".to_owned(),
        more => format!("; {more} more operators do not fit"),
    };
    let message = format!(
        "divided into {tiles} it needs {needed} bytes of L1, and the model may use {allowed} bytes of each core{others}"
    );
    let error = StageError::new(Status::FrontendToMidendError, message).node(name);
    let works: Vec<&Work> = misfits.iter().map(|(_, work, ..)| *work).collect();
    let most = misfits.iter().map(|(.., needed, _)| *needed).max().unwrap_or(needed);
    let taken = budget.bytes(Pool::L1).saturating_sub(allowed);
    let all = most.saturating_add(taken);
    let error = match trials {
        Some(trials) => error.hint(help(&works, options, budget, [allowed, all], doublings, trials)),
        None => error,
    };
    Err((error, all))
}

/// What may be tried on the whole model.
pub(super) struct Trials<'a> {
    /// Whether it fits with such tiling and such memory.
    pub(super) whole: &'a dyn Fn(&TilingOptions, &Budget) -> bool,
    /// Tries settings that are not about tiling.
    pub(super) others: &'a dyn Fn(&mut Tried),
    /// Sizes of several pools with which it fits, where L1 has so many bytes.
    pub(super) together: &'a dyn Fn(usize) -> Option<String>,
}

/// Attempts beyond the first with which the operators fit that are tried on the whole model.
const FURTHER: u32 = 4;

/// Settings with which the model fits, each by itself: those with which these operators fit, tried on the whole.
fn help(
    works: &[&Work],
    options: &TilingOptions,
    budget: &Budget,
    [allowed, needed]: [usize; 2],
    doublings: u32,
    Trials { whole, others, together }: &Trials<'_>,
) -> String {
    let fits = |options: &TilingOptions, doublings: u32| {
        works.iter().all(|work| tilings(work, options, 1 << doublings).iter().any(|it| it.bytes() <= allowed))
    };
    let mut tried = Tried::default();
    // No number of tiles helps what does not fit in tiles of one row and one word.
    let smallest = |work: &&Work| {
        let rows = options.height.map_or(1, |_| tilings(work, options, 1).first().map_or(1, |it| it.tile.rows));
        let words = options.channels.map_or(1, |_| tilings(work, options, 1).first().map_or(1, |it| it.tile.words));
        divided(work, options, Tile { rows, words }).bytes() <= allowed
    };
    let more =
        if works.iter().all(smallest) { (doublings + 1..=DOUBLINGS).find(|&more| fits(options, more)) } else { None };
    let attempts = |more: u32| TilingOptions { attempts: i64::from(more) + 1, ..options.clone() };
    let more =
        more.and_then(|more| (more..=DOUBLINGS.min(more + FURTHER)).find(|&more| whole(&attempts(more), budget)));
    if doublings < DOUBLINGS {
        tried.note("`max_tiling_attempts`", more.map(|more| format!("`max_tiling_attempts` of {} or more", more + 1)));
    }
    let changes = [
        (
            TilingOptions { height: None, channels: None, ..options.clone() },
            "`force_h_tiling` and `force_oc_tiling`",
            "neither `force_h_tiling` nor `force_oc_tiling`",
        ),
        (
            TilingOptions { overlaps_rows: false, overlaps_channels: false, ..options.clone() },
            "`pipeline_spatial_tiles` and `pipeline_channel_tiles`",
            "`pipeline_spatial_tiles` and `pipeline_channel_tiles` false",
        ),
        (
            TilingOptions { ignores_weights: true, ..options.clone() },
            "`ignore_weight_buffers`",
            "`ignore_weight_buffers` true",
        ),
        (
            TilingOptions { doubles_weights_pipelined: false, doubles_weights_sequential: false, ..options.clone() },
            "`imc_double_buffer_pipeline` and `imc_double_buffer_sequential`",
            "`imc_double_buffer_pipeline` and `imc_double_buffer_sequential` false",
        ),
    ];
    for (changed, names, cure) in changes.iter().filter(|(changed, ..)| changed != options) {
        let helps = fits(changed, doublings) && whole(changed, budget);
        tried.note(names, helps.then(|| (*cure).to_owned()));
    }
    others(&mut tried);
    let fits = |size: usize| {
        let mut budget = budget.clone();
        budget.raise(Pool::L1, size);
        whole(options, &budget)
    };
    tried.note_size(budget, Pool::L1, needed, &fits);
    tried.hint(|| together(needed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_tiles_grow_in_steps_and_end_at_the_bound() {
        assert_eq!(counts(10, None, 1 << 7), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(counts(40, None, 32), [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 15, 17, 21, 25, 29, 32]);
        assert_eq!(counts(100, None, 4), [1, 2, 3, 4]);
        assert_eq!(counts(0, None, 8), [1]);
        assert_eq!(counts(5, Some(9), 1), [5]);
        assert!(counts(1 << 40, None, u128::MAX).len() < 400);
    }
}
